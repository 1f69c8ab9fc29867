import { WarpError } from "../../errors.ts";
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
    const database = await opened(request);
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
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    }).catch(async (error) => {
      // What aborted it says more.
      await worked;
      throw error;
    });
    return worked;
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
        await opened(factory.deleteDatabase(databaseName));
        await forget();
      });
    },
    close,
  };
}

function asked<T>(request: IdbRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** A request to open a database or to delete one. Rejects also where another tab does not let go of it. */
function opened(request: IdbOpenRequest): Promise<IdbDatabase> {
  return new Promise((resolve, reject) => {
    asked(request).then(resolve, reject);
    request.onblocked = () => {
      // Should it be opened after all, nobody waits for it.
      request.onsuccess = () => request.result?.close();
      reject(new WarpError("storage_unavailable", "another tab holds the database"));
    };
  });
}
