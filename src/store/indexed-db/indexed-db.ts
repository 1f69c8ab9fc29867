import {
  isNewer,
  judge,
  type Kept,
  type KeptState,
  type KeptVerdict,
  type Persistence,
  purgedState,
} from "../persistence.ts";
import type { IdbDatabase, IdbFactory, IdbObjectStore, IdbOpenRequest, IdbRequest } from "./idb.ts";

/** Of the database's form. One that is newer was made by a later version of this program, and is left alone. */
const schemaVersion = 1;

/** Keeps a store in the database `warp-store:` and `name`; tabs of an origin share it. */
export function indexedDbOf(factory: IdbFactory, name: string): Persistence {
  const databaseName = `warp-store:${name}`;
  let opening: Promise<IdbDatabase> | undefined;

  const close = (): void => {
    // Where it can't be opened there is nothing to close.
    opening?.then((database) => database.close()).catch(() => {});
    opening = undefined;
  };
  const open = async (): Promise<IdbDatabase> => {
    const request = factory.open(databaseName, schemaVersion);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("state");
      request.result.createObjectStore("entries", { keyPath: "key" });
    };
    const database = await asked(request);
    // Another tab wants another form of it, or to delete it; or the browser has closed it.
    database.onversionchange = database.onclose = close;
    return database;
  };
  /** All or nothing. */
  const run = async <R>(
    work: (states: IdbObjectStore, entries: IdbObjectStore) => Promise<R>,
  ): Promise<R> => {
    opening ??= open();
    const database = await opening.catch((error) => {
      opening = undefined;
      throw error;
    });
    const transaction = database.transaction(["state", "entries"], "readwrite");
    const worked = work(transaction.objectStore("state"), transaction.objectStore("entries"));
    // A value that can't be cloned, for one.
    worked.catch(() => transaction.abort());
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const [result] = await Promise.all([worked, done]);
    return result;
  };
  const forget = (): Promise<unknown> =>
    run(async (states, entries) => {
      entries.clear();
      states.put(purgedState, "state");
    });

  return {
    load: () =>
      run<Kept>(async (states, entries) => ({
        state: await asked(states.get("state")),
        entries: await asked(entries.getAll()),
      })),
    save: (change) =>
      run<KeptVerdict>(async (states, entries) => {
        const verdict = judge((await asked(states.get("state"))) as KeptState | undefined, change);
        if (verdict !== "write") return verdict;
        if (!change.from) entries.clear();
        for (const [key, at] of change.drop) {
          if (isNewer(await asked(entries.get(key)), at)) entries.delete(key);
        }
        for (const entry of change.put) {
          // Of what was cleared nobody has to ask.
          if (!change.from || isNewer(await asked(entries.get(entry.key)), entry.at)) entries.put(entry);
        }
        states.put(change.state, "state");
        return "kept";
      }),
    async purge() {
      await forget().catch(async (error) => {
        if (error.name !== "NotFoundError") throw error;
        // Somebody else's database under this name.
        close();
        await asked(factory.deleteDatabase(databaseName));
        await forget();
      });
    },
    close,
  };
}

/** Rejects also where another tab does not let go of the database. */
function asked<T>(request: IdbRequest<T> & { onblocked?: IdbOpenRequest["onblocked"] }): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject("another tab holds the database");
  });
}
