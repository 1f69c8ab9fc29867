import { describe, expect, test } from "vitest";
import { createStore } from "../../src/store/create-store.ts";
import { memoryPersistence } from "../../src/store/memory-persistence.ts";
import type { KeptState, Persistence } from "../../src/store/persistence.ts";
import { openStore } from "../../src/store/store.ts";
import { SpaceClient } from "../support/store-client.ts";
import { StoreBed, shown } from "./bed.ts";

/** What a persistence keeps, as `key value`. */
async function kept(persistence: Persistence): Promise<string[]> {
  const found = await persistence.load();
  return found.entries.map((entry) => {
    const { key, value } = entry as { key: string; value: unknown };
    return `${key} ${String(value)}`;
  });
}

async function stateOf(persistence: Persistence): Promise<KeptState> {
  const found = await persistence.load();
  return found.state as KeptState;
}

/** A bed with two keys and a page that has kept them for `ada`. */
async function keptBed() {
  const bed = new StoreBed();
  const persistence = memoryPersistence();
  bed.space.write("card:a", 1);
  bed.space.write("card:b", 2);
  const page = await bed.live({ persistence, session: "ada" });
  await bed.clock.advance(1_000);
  return { bed, persistence, page };
}

describe("what is kept outlives the page", () => {
  test("a reload shows it at once, as stale, and resumes behind it", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.close();
    bed.space.write("card:b", 3);
    const next = bed.page({ persistence });
    next.client.status = "offline";
    expect(await next.store.restoreSession()).toBe("ada");
    expect(next.store.session).toBe("ada");
    expect(shown(next.store)).toEqual(["card:a 1@1~", "card:b 2@2~"]);
    next.client.go(true);
    await bed.clock.settle();
    expect(shown(next.store)).toEqual(["card:a 1@1", "card:b 3@3"]);
  });

  test("cursor and entries are kept together: each save is what was the state at its cursor", async () => {
    const { bed, persistence } = await keptBed();
    bed.space.write("card:a", undefined);
    bed.space.write("card:c", 4);
    await bed.clock.settle();
    expect(await kept(persistence)).toEqual(["card:a 1", "card:b 2"]);
    await bed.clock.advance(200);
    expect(await kept(persistence)).toEqual(["card:b 2", "card:c 4"]);
    expect((await stateOf(persistence)).cursor).toBe(`${bed.space.shards[0]?.epoch}.4`);
  });

  test("how far the watch has come is kept, too, where nothing of the prefix changes", async () => {
    const { bed, persistence } = await keptBed();
    for (let n = 0; n < 5; n++) bed.space.write("other", n);
    await bed.clock.advance(61_000);
    expect((await stateOf(persistence)).cursor).toMatch(/\.7$/);
  });

  test("an acknowledged write that the watch has not told is there after a reload, a delete as well", async () => {
    const { bed, persistence, page } = await keptBed();
    page.client.isAuto = false;
    const writes = [page.store.set("card:c", 3), page.store.delete("card:a")];
    for (const call of page.client.calls.splice(0)) call.run();
    await Promise.all(writes);
    await page.store.close();
    const next = bed.page({ persistence });
    next.client.isAuto = false;
    await next.store.restoreSession();
    expect(shown(next.store)).toEqual(["card:b 2@2~", "card:c 3@3~"]);
    next.client.pump();
    await bed.clock.settle();
    expect(shown(next.store)).toEqual(["card:b 2@2", "card:c 3@3"]);
  });

  test("without a session nothing is kept; another prefix is not shown", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.close();
    const other = bed.page({ persistence, prefix: "other:" });
    expect(await other.store.restoreSession()).toBeUndefined();
    expect(other.store.status).toBe("idle");
    const fresh = memoryPersistence();
    await bed.live({ persistence: fresh });
    await bed.clock.advance(1_000);
    expect(await fresh.load()).toEqual({ state: undefined, entries: [] });
  });
});

test("null is a value, shown and kept", async () => {
  const bed = new StoreBed();
  const persistence = memoryPersistence();
  const { store } = await bed.live({ persistence, session: "ada" });
  await store.set("card:a", null);
  bed.space.write("card:b", null);
  await bed.clock.advance(1_000);
  expect(shown(store)).toEqual(["card:a null@1", "card:b null@2"]);
  expect(await kept(persistence)).toEqual(["card:a null", "card:b null"]);
});

describe("a session", () => {
  test("another one forgets all before anything is shown, on disk too", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.close();
    const next = bed.page({ persistence });
    next.client.status = "offline";
    await next.store.init({ session: "grace" });
    expect(shown(next.store)).toEqual([]);
    expect(await kept(persistence)).toEqual([]);
    expect((await persistence.load()).state).toMatchObject({ session: "grace" });
  });

  test("the same one goes on, and so does init again", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.init({ session: "ada" });
    expect(page.client.watches).toHaveLength(1);
    await page.store.close();
    const next = bed.page({ persistence });
    next.client.status = "offline";
    await next.store.init({ session: "ada" });
    expect(shown(next.store)).toEqual(["card:a 1@1~", "card:b 2@2~"]);
  });

  test("purge forgets in memory and on disk, tells who listens, refuses what was not sent", async () => {
    const { bed, persistence, page } = await keptBed();
    const { store, client } = page;
    client.isAuto = false;
    const told: string[] = [];
    store.subscribe(undefined, (keys) => told.push(...keys));
    const writes = [store.set("card:c", 1), store.set("card:c", 2)];
    await store.purge();
    expect(store.status).toBe("idle");
    expect(shown(store)).toEqual([]);
    expect([...new Set(told)].sort()).toEqual(["card:a", "card:b", "card:c"]);
    expect(await kept(persistence)).toEqual([]);
    client.pump();
    const ends = await Promise.allSettled(writes);
    expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(bed.space.state("card:c")).toEqual({ "card:c": 1 });
    expect(await bed.page({ persistence }).store.restoreSession()).toBeUndefined();
  });

  test("one that is known to be over is purged before anything is shown", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.init({ session: "ada", endsAtMs: bed.clock.now() + 5_000 });
    bed.space.write("card:a", 9);
    await bed.clock.advance(1_000);
    await page.store.close();
    await bed.clock.advance(4_000);
    const next = bed.page({ persistence });
    const told: unknown[] = [];
    next.store.subscribe(undefined, (keys) => told.push(keys));
    expect(await next.store.restoreSession()).toBeUndefined();
    await bed.clock.settle();
    expect(told.flat()).toEqual([]);
    expect(await kept(persistence)).toEqual([]);
    await next.store.init({ session: "ada", endsAtMs: bed.clock.now() });
    expect(next.store.status).toBe("idle");
  });

  test("a later one of the same id is not shown what was kept of one that was over, and keeps an end that is not", async () => {
    const { bed, persistence, page } = await keptBed();
    const endsAtMs = bed.clock.now() + 5_000;
    await page.store.init({ session: "ada", endsAtMs });
    bed.space.write("card:a", 9);
    await bed.clock.advance(1_000);
    await page.store.close();
    const soon = bed.page({ persistence });
    soon.client.status = "offline";
    await soon.store.init({ session: "ada" });
    expect(shown(soon.store)).toHaveLength(2);
    await soon.store.close();
    expect((await stateOf(persistence)).endsAtMs).toBe(endsAtMs);
    await bed.clock.advance(4_000);
    const late = bed.page({ persistence });
    late.client.status = "offline";
    late.client.isAuto = false;
    await late.store.init({ session: "ada" });
    expect(late.store.session).toBe("ada");
    expect(shown(late.store)).toEqual([]);
    expect(await kept(persistence)).toEqual([]);
  });

  test("one that ends while the page is open is purged at its end, also offline", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.init({ session: "ada", endsAtMs: bed.clock.now() + 5_000 });
    page.client.go(false);
    await bed.clock.advance(4_999);
    expect(shown(page.store)).toHaveLength(2);
    await bed.clock.advance(1);
    expect(shown(page.store)).toEqual([]);
    expect(await kept(persistence)).toEqual([]);
    expect(page.store.status).toBe("idle");
  });

  test("its end is a moment of the wall clock, also on the host that a page gives", async () => {
    const { bed, persistence } = await keptBed();
    const { client } = bed.page();
    const store = createStore({ client, prefix: "card:", persistence });
    await store.init({ session: "ada", endsAtMs: Date.now() });
    expect(store.session).toBeUndefined();
    await store.close();
    await bed.clock.settle();
    expect(await kept(persistence)).toEqual([]);
  });

  test("init again that names no end leaves the end that is known", async () => {
    const { bed, persistence, page } = await keptBed();
    const endsAtMs = bed.clock.now() + 5_000;
    await page.store.init({ session: "ada", endsAtMs });
    await page.store.close();
    const next = bed.page({ persistence });
    expect(await next.store.restoreSession()).toBe("ada");
    await next.store.init({ session: "ada" });
    await bed.clock.advance(5_000);
    expect(next.store.session).toBeUndefined();
    expect(shown(next.store)).toEqual([]);
    expect(await kept(persistence)).toEqual([]);
  });

  test("calls that begin it at once all settle with what has begun; the last one decides", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.close();
    const { store } = bed.page({ persistence });
    expect(await Promise.all([store.restoreSession(), store.restoreSession()])).toEqual(["ada", "ada"]);
    const first = store.init({ session: "grace" }).then(() => store.set("card:c", 3));
    await Promise.all([first, store.init({ session: "grace" })]);
    expect(bed.space.state("card:c")).toEqual({ "card:c": 3 });
    void store.init({ session: "ada" });
    await store.init({ session: "bob" });
    expect(store.session).toBe("bob");
    const begun = store.init({ session: "ada" });
    await store.purge();
    await begun;
    expect(store.session).toBeUndefined();
    await expect(Promise.all([store.close(), store.init()])).rejects.toMatchObject({ code: "warp_closed" });
  });

  test("its end is looked at when the page is looked at again, since timers stand still while it sleeps", async () => {
    const bed = new StoreBed();
    const client = new SpaceClient(bed.space);
    bed.space.write("card:a", 1);
    let sleptMs = 0;
    let wake: (signal: string) => void = () => {};
    const store = openStore(
      { client, prefix: "card:" },
      {
        clock: { now: () => bed.clock.now() + sleptMs },
        timers: bed.clock,
        signals: {
          listen(listener) {
            wake = listener;
            return () => {};
          },
        },
      },
    );
    await store.init({ session: "ada", endsAtMs: bed.clock.now() + 5_000 });
    await bed.clock.settle();
    expect(shown(store)).toEqual(["card:a 1@1"]);
    sleptMs = 3_600_000;
    wake("visible");
    expect(shown(store)).toEqual([]);
    expect(store.session).toBeUndefined();
    expect(bed.clock.timers).toBe(0);
  });

  test("a listener may close the store: nothing of it goes on", async () => {
    const { bed, persistence, page } = await keptBed();
    await page.store.close();
    const next = bed.page({ persistence });
    next.store.subscribe("card:a", () => void next.store.close());
    await next.store.init({ session: "ada" });
    expect(next.store.status).toBe("idle");
    expect(next.client.watches).toEqual([]);
    expect(bed.clock.timers).toBe(0);
  });

  test("a lease that ended while nobody could be asked is purged on return", async () => {
    let isOver: boolean | undefined;
    const bed = new StoreBed();
    const persistence = memoryPersistence();
    bed.space.write("card:a", 1);
    const checkSession = async () => {
      if (isOver === undefined) throw new Error("nobody can be asked");
      return !isOver;
    };
    const { store, client } = await bed.live({ persistence, session: "lease-1", checkSession });
    expect(shown(store)).toHaveLength(1);
    client.go(false);
    isOver = true;
    expect(shown(store)).toHaveLength(1);
    client.go(true);
    await bed.clock.settle();
    expect(shown(store)).toEqual([]);
    expect(store.status).toBe("idle");
    expect(await kept(persistence)).toEqual([]);
  });
});

describe("time", () => {
  test("what is kept is not shown beyond ttlMs, nor where nobody can say how old it is", async () => {
    for (const { byMs, isShown } of [
      { byMs: 500, isShown: true },
      { byMs: 60_000, isShown: false },
      { byMs: -30_000, isShown: false },
    ]) {
      const { bed, persistence, page } = await keptBed();
      await page.store.close();
      const later = new StoreBed();
      await later.clock.advance(bed.clock.now() - later.clock.now() + Math.max(byMs, 0));
      const state = await stateOf(persistence);
      const shifted: Persistence = {
        ...persistence,
        load: async () => {
          const found = await persistence.load();
          const confirmedAtMs = state.confirmedAtMs + Math.max(-byMs, 0);
          return { ...found, state: { ...state, confirmedAtMs } };
        },
      };
      const next = later.page({ persistence: shifted, ttlMs: 10_000 });
      next.client.status = "offline";
      expect(await next.store.restoreSession()).toBe("ada");
      expect(shown(next.store).length > 0, `${byMs}`).toBe(isShown);
    }
  });
});

describe("two tabs", () => {
  test("a purge in one ends the session of the other when it is looked at again, and stays", async () => {
    const { bed, persistence, page } = await keptBed();
    const other = await bed.live({ persistence, session: "ada" });
    await page.store.purge();
    other.signal("visible");
    await bed.clock.settle();
    expect(other.store.status).toBe("idle");
    expect(shown(other.store)).toEqual([]);
    await bed.clock.advance(61_000);
    expect(await kept(persistence)).toEqual([]);
  });

  test("another session in one ends that of the other with its next change", async () => {
    const { bed, persistence, page } = await keptBed();
    const other = bed.page({ persistence });
    await other.store.init({ session: "grace" });
    await bed.clock.settle();
    bed.space.write("card:a", 5);
    await bed.clock.advance(1_000);
    expect(page.store.status).toBe("idle");
    expect(other.store.status).toBe("live");
    expect(await kept(persistence)).toEqual(["card:b 2", "card:a 5"]);
  });

  test("a tab that is behind does not take back what the other has kept", async () => {
    const { bed, persistence, page } = await keptBed();
    const behind = await bed.live({ persistence, session: "ada" });
    behind.client.isAuto = false;
    bed.space.write("card:a", 5);
    behind.client.watches[0]?.step(0);
    bed.space.write("card:a", undefined);
    bed.space.write("card:c", 6);
    await bed.clock.advance(1_000);
    expect(shown(behind.store)).toContain("card:a 5@3");
    expect(await kept(persistence)).toEqual(["card:b 2", "card:c 6"]);
    await page.store.close();
    behind.client.pump();
    bed.space.write("card:d", 7);
    behind.client.pump();
    await bed.clock.advance(1_000);
    expect(await kept(persistence)).toEqual(["card:b 2", "card:c 6", "card:d 7"]);
  });
});

describe("storage that fails", () => {
  test("memory goes on; it is told once, and what was missed is kept once it works again", async () => {
    const bed = new StoreBed();
    const persistence = memoryPersistence();
    let isFull = false;
    const { store, errors } = await bed.live({
      session: "ada",
      persistence: {
        ...persistence,
        async save(change) {
          if (isFull) throw new Error("QuotaExceededError");
          return await persistence.save(change);
        },
      },
    });
    isFull = true;
    for (let n = 0; n < 3; n++) {
      bed.space.write(`card:${n}`, n);
      await bed.clock.advance(1_000);
    }
    expect(store.status).toBe("live");
    expect(shown(store)).toHaveLength(3);
    expect(errors).toEqual(["storage_unavailable"]);
    isFull = false;
    bed.space.write("card:3", 3);
    await bed.clock.advance(1_000);
    expect(await kept(persistence)).toHaveLength(4);
  });

  test("what can't be read or is not a store's is told and forgotten; memory goes on", async () => {
    const state = {
      format: 1,
      session: "ada",
      prefix: "card:",
      cursor: "0000000000000001.1",
      confirmedAtMs: 0,
    };
    const strange = [
      { state: "what", entries: [] },
      { state: { ...state, format: 7 }, entries: [] },
      { state, entries: [{ key: "card:a", at: "soon" }] },
      { state: { ...state, prefix: "else" }, entries: [] },
      { state, entries: [null] },
    ];
    for (const found of strange) {
      const bed = new StoreBed();
      bed.space.write("card:a", 1);
      const persistence = memoryPersistence();
      let isStrange = true;
      const { store, errors } = await bed.live({
        session: "ada",
        persistence: {
          ...persistence,
          load: async () => (isStrange ? found : await persistence.load()),
          async purge() {
            isStrange = false;
            await persistence.purge();
          },
        },
      });
      expect(errors, JSON.stringify(found)).toEqual(["decode_failed"]);
      expect(isStrange).toBe(false);
      await bed.clock.advance(1_000);
      expect(shown(store)).toEqual(["card:a 1@1"]);
      expect(await kept(persistence)).toEqual(["card:a 1"]);
    }
  });
});
