import { IDBFactory } from "fake-indexeddb";
import { describe, expect, test } from "vitest";
import type { IdbDatabase, IdbFactory, IdbObjectStore } from "../../src/store/indexed-db/idb.ts";
import { indexedDbOf } from "../../src/store/indexed-db/indexed-db.ts";
import { memoryPersistence } from "../../src/store/memory-persistence.ts";
import { change, entry, persistenceContract, stateAt, whole } from "../contract/persistence.ts";
import { StoreBed, shown } from "./bed.ts";

const factory = (): IdbFactory => new IDBFactory();

describe("in memory", () => {
  persistenceContract(() => {
    const shared = memoryPersistence();
    return { open: () => shared };
  });
});

describe("in IndexedDB", () => {
  persistenceContract(() => {
    const shared = factory();
    return { open: () => indexedDbOf(shared, "cards") };
  });

  /** Opens a database as some other program would. */
  const opened = (
    from: IdbFactory,
    version: number,
    upgrade: (database: IdbDatabase) => void = () => {},
  ): Promise<IdbDatabase> =>
    new Promise((resolve, reject) => {
      const request = from.open("warp-store:cards", version);
      request.onupgradeneeded = () => upgrade(request.result);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error("blocked"));
    });

  test("a value that can't be kept keeps the whole change from being kept", async () => {
    const tab = indexedDbOf(factory(), "cards");
    await tab.save(whole([1], [entry("a", 1)]));
    const put = [entry("b", 2), entry("c", 3, () => {})];
    await expect(tab.save(change([1], [3], put))).rejects.toMatchObject({ name: "DataCloneError" });
    expect(await tab.load()).toEqual({ state: stateAt([1]), entries: [entry("a", 1)] });
  });

  test("another tab's newer form of the database is let in and left alone", async () => {
    const shared = factory();
    const tab = indexedDbOf(shared, "cards");
    await tab.save(whole([1], [entry("a", 1)]));
    const newer = await opened(shared, 2, (database) => database.createObjectStore("more"));
    expect([...newer.objectStoreNames]).toEqual(["entries", "more", "state"]);
    await expect(tab.save(whole([2], []))).rejects.toMatchObject({ name: "VersionError" });
    await expect(tab.purge()).rejects.toMatchObject({ name: "VersionError" });
    newer.close();
  });

  test("somebody else's database under the name can't be read, and a purge makes room", async () => {
    const shared = factory();
    (await opened(shared, 1, (database) => database.createObjectStore("theirs"))).close();
    const tab = indexedDbOf(shared, "cards");
    await expect(tab.load()).rejects.toMatchObject({ name: "NotFoundError" });
    await tab.purge();
    expect(await tab.save({ ...whole([1], [entry("a", 1)]), isBeginning: true })).toBe("kept");
    expect((await tab.load()).state).toEqual(stateAt([1]));
  });

  test("a purge that another program's open database stands in the way of is told", async () => {
    const shared = factory();
    const theirs = await opened(shared, 1, (database) => database.createObjectStore("theirs"));
    await expect(indexedDbOf(shared, "cards").purge()).rejects.toMatch(/another tab/);
    theirs.close();
  });

  test("a store over it: told and forgotten content, then a session that outlives the page", async () => {
    const shared = factory();
    (await opened(shared, 1, (database) => database.createObjectStore("theirs"))).close();
    const bed = new StoreBed();
    bed.space.write("card:a", 1);
    const idle = async () => {
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
    };
    const first = bed.page({ persistence: indexedDbOf(shared, "cards") });
    await first.store.init({ session: "ada" });
    expect(first.errors).toEqual(["storage_unavailable"]);
    await bed.clock.advance(1_000);
    await idle();
    await first.store.close();
    const next = bed.page({ persistence: indexedDbOf(shared, "cards") });
    next.client.status = "offline";
    next.client.isAuto = false;
    expect(await next.store.restoreSession()).toBe("ada");
    expect(shown(next.store)).toEqual(["card:a 1@1~"]);
    await next.store.init({ session: "grace" });
    expect(shown(next.store)).toEqual([]);
    expect((await indexedDbOf(shared, "cards").load()).entries).toEqual([]);
  });

  test("a full disk aborts the whole change, and is told as what it was", async () => {
    const shared = factory();
    const tab = indexedDbOf(shared, "cards");
    await tab.save(whole([1], [entry("a", 1)]));
    const quota = Object.assign(new Error("no room"), { name: "QuotaExceededError" });
    const full: IdbFactory = {
      ...{ deleteDatabase: (name) => shared.deleteDatabase(name) },
      open(name, version) {
        const request = shared.open(name, version);
        return new Proxy(request, {
          get: (target, member) => {
            const found: unknown = Reflect.get(target, member, target);
            return member === "result" ? withoutRoom(found as IdbDatabase, quota) : found;
          },
          set: (target, member, value) => Reflect.set(target, member, value, target),
        });
      },
    };
    await expect(indexedDbOf(full, "cards").save(whole([2], [entry("b", 2)]))).rejects.toBe(quota);
    expect((await tab.load()).state).toEqual(stateAt([1]));
    expect((await tab.load()).entries).toEqual([entry("a", 1)]);
  });
});

/** A database in which entries can't be put. */
function withoutRoom(database: IdbDatabase, error: Error): IdbDatabase {
  return {
    ...{ objectStoreNames: database.objectStoreNames, onversionchange: null, onclose: null },
    ...{ createObjectStore: () => {}, deleteObjectStore: () => {}, close: () => database.close() },
    transaction(names, mode) {
      const transaction = database.transaction(names, mode);
      const { objectStore } = transaction;
      return Object.assign(transaction, {
        objectStore(name: string): IdbObjectStore {
          const store = objectStore.call(transaction, name);
          const put = (): never => {
            throw error;
          };
          return name === "entries" ? Object.assign(store, { put }) : store;
        },
      });
    },
  };
}
