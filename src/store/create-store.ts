import { browserHost } from "../platform/browser.ts";
import { browserIndexedDb } from "../platform/browser-indexed-db.ts";
import type { IdbFactory } from "./indexed-db/idb.ts";
import type { Persistence } from "./persistence.ts";
import { openStore } from "./store.ts";
import type { StoreOptions, WarpStore } from "./types.ts";

/** A store of the keys that begin with `prefix`. Nothing is shown or watched before `init` or `restoreSession`. Throws `invalid_argument` that names the option. */
export function createStore<T = unknown>(options: StoreOptions<T>): WarpStore<T> {
  return openStore(options, options.host ?? browserHost());
}

/** Keeps a store in the browser, in the database `warp-store:` and `name`: a name of its own for each store. Tabs of an origin share it. Its program is loaded with the first call. */
export function indexedDbPersistence(name: string, factory: IdbFactory = browserIndexedDb()): Persistence {
  let driver: Promise<Persistence> | undefined;
  const loaded = (): Promise<Persistence> => {
    driver ??= import("./indexed-db/indexed-db.ts").then(
      ({ indexedDbOf }) => indexedDbOf(factory, name),
      (error) => {
        // It could not be loaded: the next call tries again.
        driver = undefined;
        throw error;
      },
    );
    return driver;
  };
  return {
    load: async () => await (await loaded()).load(),
    save: async (change) => await (await loaded()).save(change),
    purge: async () => await (await loaded()).purge(),
    // What was not loaded has opened nothing.
    close: () => void driver?.then((found) => found.close()).catch(() => {}),
  };
}
