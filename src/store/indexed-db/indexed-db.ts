import { WarpError } from "../../errors.ts";
import {
  isAll,
  isNewer,
  judge,
  type KeptState,
  type KeptVerdict,
  type Persistence,
  purgedState,
} from "../persistence.ts";
import type { IdbDatabase, IdbFactory, IdbObjectStore, IdbOpenRequest, IdbRequest } from "./idb.ts";

/** Of the database's form. One that is newer was made by a later version of this program, and is left alone. */
const schemaVersion = 1;

/** Keeps a store in the database `warp-store:` and `name`; tabs of an origin share it. Several stores of a page need several names. */
export function indexedDbOf(factory: IdbFactory, name: string): Persistence {
  const databaseName = `warp-store:${name}`;
  let opening: Promise<IdbDatabase> | undefined;

  const close = (): void => {
    // Where it can't be opened there is nothing to close.
    opening?.then((database) => database.close()).catch(() => {});
    opening = undefined;
  };
  const open = (): Promise<IdbDatabase> => {
    const request = factory.open(databaseName, schemaVersion);
    request.onupgradeneeded = () => {
      const database = request.result;
      for (const old of [...database.objectStoreNames]) database.deleteObjectStore(old);
      database.createObjectStore("state");
      database.createObjectStore("entries", { keyPath: "key" });
    };
    return opened(request, close);
  };
  /** All or nothing: what throws on the way aborts it. */
  const run = async (work: (states: IdbObjectStore, entries: IdbObjectStore) => void): Promise<void> => {
    opening ??= open();
    const database = await opening.catch((error) => {
      opening = undefined;
      throw error;
    });
    const transaction = database.transaction(["state", "entries"], "readwrite");
    work(transaction.objectStore("state"), transaction.objectStore("entries"));
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  };
  const forget = (): Promise<void> =>
    run((states, entries) => {
      entries.clear();
      states.put(purgedState, "state");
    });

  return {
    async load() {
      let state: unknown;
      let entries: unknown[] = [];
      await run((states, all) => {
        then(states.get("state"), (found) => {
          state = found;
        });
        then(all.getAll(), (found) => {
          entries = found;
        });
      });
      return state === undefined ? undefined : { state, entries };
    },
    async save(change) {
      let verdict: KeptVerdict = "kept";
      await run((states, entries) =>
        then(states.get("state"), (kept) => {
          const judged = judge(kept as KeptState | undefined, change);
          if (judged !== "write") {
            verdict = judged;
            return;
          }
          states.put(change.state, "state");
          if (isAll(change)) entries.clear();
          for (const [key, at] of change.drop) {
            then(entries.get(key), (old) => isNewer(old, at) && entries.delete(key));
          }
          for (const entry of change.put) {
            then(entries.get(entry.key), (old) => isNewer(old, entry.at) && entries.put(entry));
          }
        }),
      );
      return verdict;
    },
    async purge() {
      await forget().catch(async (error) => {
        if (error.name !== "NotFoundError") throw error;
        // Somebody else's database under this name.
        close();
        await opened(factory.deleteDatabase(databaseName), close);
        await forget();
      });
    },
    close,
  };
}

function then<T>(request: IdbRequest<T>, next: (result: T) => void): void {
  request.onsuccess = () => next(request.result);
}

/** What a request to open or to delete a database gives. Rejects also where another tab does not let go of it. */
function opened(request: IdbOpenRequest, close: () => void): Promise<IdbDatabase> {
  return new Promise((resolve, reject) => {
    then(request, (database) => {
      // Another tab wants another form of it, or to delete it; or the browser has closed it.
      if (database !== undefined) database.onversionchange = database.onclose = close;
      resolve(database);
    });
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new WarpError("storage_unavailable", "another tab holds the database"));
  });
}
