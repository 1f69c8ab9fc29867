import {
  isOlder,
  judge,
  type Kept,
  type KeptState,
  type KeptVerdict,
  type Known,
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
    opening?.then(
      (database) => database.close(),
      () => {},
    );
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
      close();
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
    return (await Promise.all([worked, done]))[0];
  };
  const purge = (): Promise<void> =>
    run(async (states, entries) => {
      entries.clear();
      states.put(purgedState, "state");
    }).catch(async (error) => {
      if (error.name !== "NotFoundError") throw error;
      // Somebody else's database under this name.
      close();
      await asked(factory.deleteDatabase(databaseName));
      return purge();
    });

  return {
    load: () =>
      run<Kept>(async (states, entries) => ({
        state: await asked(states.get("state")),
        entries: await asked(entries.getAll()),
      })),
    save: (change) =>
      run<KeptVerdict>(async (states, entries) => {
        const { state, from, put, drop } = change;
        const verdict = judge((await asked(states.get("state"))) as KeptState | undefined, change);
        if (verdict !== "write") return verdict;
        const isOld = async (key: string, at: number): Promise<boolean> =>
          isOlder((await asked(entries.get(key))) as Known | undefined, at);
        if (!from) entries.clear();
        for (const [key, at] of drop) if (await isOld(key, at)) entries.delete(key);
        for (const entry of put) if (await isOld(entry.key, entry.at)) entries.put(entry);
        states.put(state, "state");
        return "kept";
      }),
    purge,
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
