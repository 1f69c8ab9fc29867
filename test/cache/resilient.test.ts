import { describe, expect, it } from "vitest";
import type { Cache } from "../../src/cache/cache.ts";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { resilientCache } from "../../src/cache/resilient/resilient-cache.ts";
import { cacheContract, entryOf } from "../contract/cache.ts";
import { codeOf, coreBed } from "../support/core-bed.ts";
import { FakeKv } from "../support/fake-kv.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { GatedCache } from "./gated-cache.ts";

const calm = (error: unknown) => expect.unreachable(String(error));
cacheContract("resilient memory", (bounds) => resilientCache(memoryCache(bounds), calm));
cacheContract("resilient kv", () =>
  resilientCache(kvCache(new FakeKv(virtualClock(0)).place(), { space: "s" }), calm),
);

function bed() {
  const inner = new GatedCache(memoryCache());
  const errors: unknown[] = [];
  const cache = resilientCache(inner, (error) => errors.push(error));
  const broken = new Error("the tier is broken");
  return {
    inner,
    cache,
    errors,
    broken,
    fail: (on: boolean) => (inner.failing = on ? () => broken : undefined),
  };
}

const calls: Readonly<Record<string, (cache: Cache) => unknown>> = {
  peek: (cache) => cache.peek("k", 0),
  inspect: (cache) => cache.inspect("k", 0),
  get: (cache) => cache.get("k", 0),
  set: (cache) => cache.set("k", entryOf(1)),
  delete: (cache) => cache.delete("k"),
  deleteWhere: (cache) => cache.deleteWhere(() => true),
  clear: (cache) => cache.clear(),
};

describe("resilient cache", () => {
  it.each(Object.entries(calls))("CO8 a broken tier is a miss: %s", async (_name, call) => {
    const { cache, errors, broken, fail } = bed();
    fail(true);
    expect(await call(cache)).toBeOneOf([undefined, false, 0]);
    expect(errors).toEqual([broken]);
    expect(cache.stats().errors).toBe(1);
  });

  it.each(Object.entries(calls))("RS-04 without it the error is the caller's: %s", async (_name, call) => {
    const { inner, broken, fail } = bed();
    fail(true);
    await expect((async () => await call(inner))()).rejects.toBe(broken);
  });

  it("what could not be dropped is not served when the tier is well again, until it is set anew", async () => {
    for (const drop of ["delete", "set"] as const) {
      const { cache, fail } = bed();
      await cache.set("k", entryOf(1));
      await cache.set("other", entryOf(1));
      fail(true);
      await calls[drop]?.(cache);
      fail(false);
      expect(await cache.get("k", 0), drop).toBeUndefined();
      expect(await cache.get("other", 0), drop).toBeDefined();
      await cache.set("k", entryOf(1, { version: 2 }));
      expect(await cache.get("k", 0), drop).toMatchObject({ version: 2 });
    }
  });

  it("after a failed drop of many nothing is served until all could be cleared", async () => {
    for (const drop of ["deleteWhere", "clear"] as const) {
      const { inner, cache, fail } = bed();
      await cache.set("k", entryOf(1));
      fail(true);
      await calls[drop]?.(cache);
      expect(await cache.set("new", entryOf(1))).toBe(false);
      fail(false);
      expect(await cache.get("k", 0), drop).toBeUndefined();
      expect(await cache.set("new", entryOf(1))).toBe(true);
      expect(await cache.get("new", 0), drop).toBeDefined();
      expect(await cache.get("k", 0), drop).toBeUndefined();
      expect(inner.stats().entries, drop).toBe(1);
    }
  });

  it("more than 1,000 keys in doubt put all in doubt, so that the list of them stays bounded", async () => {
    const { cache, fail } = bed();
    await cache.set("safe", entryOf(1));
    fail(true);
    for (let i = 0; i < 1_000; i++) await cache.delete(`k${i}`);
    fail(false);
    expect(await cache.get("safe", 0)).toBeDefined();
    fail(true);
    await cache.delete("k1000");
    fail(false);
    expect(await cache.get("safe", 0)).toBeUndefined();
    await cache.set("safe", entryOf(1));
    expect(await cache.get("safe", 0)).toBeDefined();
  });

  it("a write that was begun before a failed drop does not lift the doubt", async () => {
    const { inner, cache } = bed();
    const held = inner.hold("set");
    const setting = Promise.resolve(cache.set("k", entryOf(1)));
    await held.reached;
    inner.failNext = () => new Error("broken");
    await cache.delete("k");
    held.release();
    await setting;
    expect(await cache.get("k", 0)).toBeUndefined();
  });

  it("a read that was begun before a failed drop is a miss", async () => {
    const { inner, cache } = bed();
    await cache.set("k", entryOf(1));
    const held = inner.hold("get");
    const reading = Promise.resolve(cache.get("k", 0));
    await held.reached;
    inner.failNext = () => new Error("broken");
    await cache.delete("k");
    held.release();
    expect(await reading).toBeUndefined();
  });

  it("KV that fails, and what is no copy in it, are misses too", async () => {
    const kv = new FakeKv(virtualClock(0));
    const errors: unknown[] = [];
    const cache = resilientCache(kvCache(kv.place(), { space: "s" }), (error) => errors.push(error));
    kv.spoil("warp:s:copy:k", new ArrayBuffer(3));
    expect(await cache.get("k", 0)).toBeUndefined();
    kv.fail("get", () => new Error("503"));
    expect(await cache.get("k", 0)).toBeUndefined();
    expect(errors).toMatchObject([{ code: "decode_failed" }, { code: "storage_unavailable" }]);
  });
});

describe("a node whose cache is broken", () => {
  const broken = () => {
    const inner = new GatedCache(memoryCache());
    inner.failing = () => new Error("the tier is broken");
    return inner;
  };

  it("RS-01 RS-02 RS-03 with resiliency get serves from the storage, set reaches it, invalidate succeeds", async () => {
    const errors: unknown[] = [];
    const bed = coreBed();
    const { warp } = bed.node({ cache: resilientCache(broken(), (error) => errors.push(error)) });
    const sound = bed.node();
    await warp.set("k", 1);
    expect(await sound.warp.get("k")).toBe(1);
    expect(await warp.get("k")).toBe(1);
    await warp.invalidate({ keys: ["k"] });
    expect(await warp.get("k")).toBe(1);
    expect(errors.length).toBeGreaterThan(2);
    expect(warp.stats().cache.errors).toBe(errors.length);
    expect(bed.leaks).toEqual([]);
  });

  it("RS-04 without resiliency get fails with the tier's error", async () => {
    const { warp } = coreBed().node({ cache: broken() });
    await expect(warp.get("k")).rejects.toThrow("the tier is broken");
  });
});

describe("cancelled calls", () => {
  it.each(["s3-fifo", "lru", "lfu", "adaptive"] as const)(
    "CA-03 %s: a cancelled set, get or invalidate fails and leaves the cache as it was",
    async (policy) => {
      const cache = memoryCache({ policy });
      const { warp } = coreBed().node({ cache });
      await warp.set("k", 1);
      const before = cache.stats();
      const signal = AbortSignal.abort();
      expect(await codeOf(warp.set("k", 2, { signal }))).toBe("aborted");
      expect(await codeOf(warp.get("absent", { signal }))).toBe("aborted");
      expect(await codeOf(warp.invalidate({ keys: ["k"] }, { signal }))).toBe("aborted");
      expect(cache.stats()).toMatchObject({ entries: before.entries, bytes: before.bytes });
      expect(warp.peek("k")).toBe(1);
    },
  );
});
