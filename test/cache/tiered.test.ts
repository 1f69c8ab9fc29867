import { describe, expect, it } from "vitest";
import type { Cache, CacheEntry } from "../../src/cache/cache.ts";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { resilientCache } from "../../src/cache/resilient/resilient-cache.ts";
import { tieredCache } from "../../src/cache/tiered/tiered-cache.ts";
import { cacheContract, entryOf } from "../contract/cache.ts";
import { codeOf } from "../support/core-bed.ts";
import { FakeKv } from "../support/fake-kv.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { GatedCache } from "./gated-cache.ts";

const kv = () => kvCache(new FakeKv(virtualClock(0)).place(), { space: "s" });
cacheContract("tiered: memory before memory", (bounds) => tieredCache(memoryCache(bounds), memoryCache()));
cacheContract("tiered: memory before kv", (bounds) => tieredCache(memoryCache(bounds), kv()));
cacheContract("tiered: memory before a resilient kv", (bounds) =>
  tieredCache(
    memoryCache(bounds),
    resilientCache(kv(), (error) => expect.unreachable(String(error))),
  ),
);

const of = (version: number): CacheEntry => entryOf(1, { version, asOf: version });

function gated() {
  const first = memoryCache();
  const second = new GatedCache(memoryCache());
  return { first, second, cache: tieredCache(first, second) };
}

describe("tiered cache", () => {
  it("peek looks into the first tier only; get asks the second and brings its copy up", async () => {
    const [first, second] = [memoryCache(), memoryCache()];
    const cache = tieredCache(first, second);
    second.set("k", of(1));
    expect(cache.peek("k", 0)).toBeUndefined();
    expect(await cache.get("k", 0)).toMatchObject({ version: 1 });
    expect(cache.peek("k", 0)).toMatchObject({ version: 1 });
    expect(first.inspect("k", 0)).toBeDefined();
  });

  it("what the first tier gave up is still found in the second", async () => {
    const cache = tieredCache(memoryCache({ maxEntries: 2 }), memoryCache());
    for (let i = 0; i < 5; i++) await cache.set(`k${i}`, of(i));
    for (let i = 0; i < 5; i++) expect(await cache.get(`k${i}`, 0)).toMatchObject({ version: i });
    expect(cache.stats()).toMatchObject({ entries: 2, hits: 5, misses: 0 });
  });

  it("refuses a first tier that can't be peeked into", () => {
    expect(() => tieredCache(kv(), memoryCache())).toThrow(/first tier/);
  });

  it("CO3 a copy read from the second tier before a set, a delete or a clear does not enter the first after it", async () => {
    const changes: ((cache: Cache) => unknown)[] = [
      (cache) => cache.set("k", of(2)),
      (cache) => cache.delete("k"),
      (cache) => cache.deleteWhere((key) => key === "k"),
      (cache) => cache.clear(),
    ];
    for (const [at, change] of changes.entries()) {
      const { first, second, cache } = gated();
      second.inner.set("k", of(1));
      const answer = second.hold("get");
      const reading = Promise.resolve(cache.get("k", 0));
      await answer.reached;
      await change(cache);
      answer.release();
      await reading;
      expect(first.inspect("k", 0)?.version, `change ${at}`).toBe(at === 0 ? 2 : undefined);
    }
  });

  it("CO3 nor does one that was read while the drop in the second tier was under way", async () => {
    for (const method of ["delete", "deleteWhere"] as const) {
      const { first, second, cache } = gated();
      await cache.set("k", of(1));
      const drop = second.hold(method);
      const dropping = Promise.resolve(
        method === "delete" ? cache.delete("k") : cache.deleteWhere((key) => key === "k"),
      );
      await drop.reached;
      // The second tier holds it still.
      expect(await cache.get("k", 0)).toMatchObject({ version: 1 });
      drop.release();
      await dropping;
      expect(first.inspect("k", 0)).toBeUndefined();
      expect(await cache.get("k", 0)).toBeUndefined();
    }
  });

  it("a set that fails below leaves the newer copy above, and its error is the caller's", async () => {
    const clock = virtualClock(0);
    const store = new FakeKv(clock);
    const cache = tieredCache(memoryCache(), kvCache(store.place(), { space: "s" }));
    await cache.set("k", of(1));
    store.fail("put", () => new Error("503"));
    expect(await codeOf(Promise.resolve(cache.set("k", of(2))))).toBe("storage_unavailable");
    expect(cache.peek("k", 0)).toMatchObject({ version: 2 });
  });

  it("a delete that fails below leaves nothing above, and its error is the caller's", async () => {
    const store = new FakeKv(virtualClock(0));
    const cache = tieredCache(memoryCache(), kvCache(store.place(), { space: "s" }));
    await cache.set("k", of(1));
    store.fail("delete", () => new Error("503"));
    expect(await codeOf(Promise.resolve(cache.delete("k")))).toBe("storage_unavailable");
    expect(await codeOf(Promise.resolve(cache.clear()))).toBe("storage_unavailable");
    expect(cache.peek("k", 0)).toBeUndefined();
  });

  it("the first tier never holds an older copy than the second, whatever fails and overlaps", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seeded(seed);
      const first = memoryCache({ maxEntries: 3 });
      const second = new GatedCache(memoryCache());
      const cache = tieredCache(first, second);
      const running: Promise<unknown>[] = [];
      let version = 0;
      for (let step = 0; step < 80; step++) {
        const key = `k${random.below(5)}`;
        second.failNext = random.below(10) === 0 ? () => new Error("broken") : undefined;
        second.delayTurns = random.below(4);
        const roll = random.below(10);
        // Writes of one key come one after another, as a node's do; reads and drops overlap with all.
        if (roll < 4) await settled(cache.set(key, of(++version)));
        else if (roll < 8) running.push(settled(cache.get(key, 0)));
        else if (roll === 8) running.push(settled(cache.delete(key)));
        else running.push(settled(cache.deleteWhere((held) => held < key)));
      }
      second.failNext = undefined;
      await Promise.all(running);
      for (let i = 0; i < 5; i++) {
        const [above, below] = [first.inspect(`k${i}`, 0), second.inner.inspect(`k${i}`, 0)];
        if (above === undefined || below === undefined) continue;
        expect(above.version, `seed ${seed}, k${i}`).toBeGreaterThanOrEqual(below.version);
      }
    }
  });
});

async function settled(work: unknown): Promise<void> {
  try {
    await work;
  } catch (error) {
    expect(String(error)).toContain("broken");
  }
}
