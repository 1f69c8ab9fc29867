import { describe, expect, it } from "vitest";
import { duelWindow } from "../../src/cache/memory/duel.ts";
import { type EvictionPolicyName, memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { entryOf } from "../contract/cache-entry.ts";
import { seeded } from "../support/seeded.ts";
import { hitPercent, traces, zipf } from "./traces.ts";

const room = (maxEntries: number, policy: EvictionPolicyName) =>
  memoryCache({ maxEntries, maxBytes: 2 ** 40, policy });

describe("eviction policies", () => {
  it("LRU gives up what was used least recently, a write being a use", () => {
    const cache = room(3, "lru");
    for (const key of ["a", "b", "c"]) cache.set(key, entryOf(1));
    cache.peek("a", 0);
    cache.set("b", entryOf(1));
    cache.set("d", entryOf(1));
    expect(["a", "b", "c", "d"].map((key) => cache.inspect(key, 0) !== undefined)).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it("LFU gives up what was read least often, however lately", () => {
    const cache = room(3, "lfu");
    for (const [key, reads] of [
      ["a", 3],
      ["b", 2],
      ["c", 1],
    ] as const) {
      cache.set(key, entryOf(1));
      for (let i = 0; i < reads; i++) cache.peek(key, 0);
    }
    cache.set("d", entryOf(1));
    expect(cache.inspect("c", 0)).toBeUndefined();
    cache.set("e", entryOf(1));
    expect(["a", "b", "d", "e"].map((key) => cache.inspect(key, 0) !== undefined)).toEqual([
      true,
      true,
      false,
      true,
    ]);
  });

  it("LFU forgets old fame: counts are halved, so that fewer reads lately outweigh more long ago", () => {
    const cache = room(3, "lfu");
    const read = (key: string, times: number) => {
      cache.set(key, entryOf(1));
      for (let i = 0; i < times; i++) cache.peek(key, 0);
    };
    read("old", 120);
    read("between", 300);
    read("late", 70);
    cache.set("new", entryOf(1));
    expect(cache.inspect("late", 0)).toBeDefined();
    expect(cache.inspect("old", 0)).toBeUndefined();
  });

  it("inspect is no use: it saves nothing from any policy", () => {
    for (const policy of ["lru", "lfu", "s3-fifo", "adaptive"] as const) {
      const cache = room(2, policy);
      cache.set("a", entryOf(1));
      cache.set("b", entryOf(1));
      for (let i = 0; i < 5; i++) cache.inspect("a", 0);
      cache.set("c", entryOf(1));
      expect(cache.inspect("a", 0), policy).toBeUndefined();
    }
  });
});

describe("the adaptive policy", () => {
  const full = (entries: number) => {
    const cache = room(entries, "adaptive");
    for (let i = 0; i <= entries; i++) cache.set(`first${i}`, entryOf(1));
    return cache;
  };

  it("CA-07 a full adaptive cache that misses 150 times in a row goes over to LFU", () => {
    const cache = full(100);
    for (let i = 0; i < 150; i++) {
      expect(cache.stats().policy).toBe(i < duelWindow ? "lru" : "lfu");
      expect(cache.peek(`miss${i}`, 0)).toBeUndefined();
    }
    expect(cache.stats().policy).toBe("lfu");
  });

  it("stays as it is while there was nothing to evict, since no policy is better then", () => {
    const cache = room(1_000, "adaptive");
    for (let i = 0; i < 900; i++) cache.peek(`miss${i}`, 0);
    expect(cache.stats().policy).toBe("lru");
  });

  it("goes over to whichever hits more, and back", () => {
    const seed = 31;
    const cache = full(300);
    const popular = zipf(seeded(seed), 3_000, 0.9);
    const drifting = zipf(seeded(seed + 1), 3_000, 1);
    const read = (key: string) => {
      if (cache.peek(key, 0) === undefined) cache.set(key, entryOf(1));
    };
    const led: (string | undefined)[] = [];
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20_000; i++) read(`p${popular()}`);
      led.push(cache.stats().policy);
      for (let i = 0; i < 20_000; i++) read(`d${(i >> 2) - drifting()}`);
      led.push(cache.stats().policy);
    }
    expect(led, `seed ${seed}`).toEqual(["lfu", "lru", "lfu", "lru"]);
  });

  it("does not change its mind for a hit or two: two that do the same leave the first in place", () => {
    const cache = full(100);
    // All fit: both hit all the time.
    for (let i = 0; i < 5_000; i++)
      if (cache.peek(`k${i % 60}`, 0) === undefined) cache.set(`k${i % 60}`, entryOf(1));
    expect(cache.stats().policy).toBe("lru");
  });

  it("CA-08 clear empties both orders and begins anew as LRU", () => {
    const cache = full(100);
    for (let i = 0; i < 200; i++) cache.peek(`miss${i}`, 0);
    expect(cache.stats().policy).toBe("lfu");
    cache.clear();
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, policy: "lru" });
    for (let i = 0; i < 300; i++) cache.set(`k${i}`, entryOf(1));
    expect(cache.stats().entries).toBe(100);
    expect(cache.inspect("k299", 0)).toBeDefined();
    expect(cache.inspect("first50", 0)).toBeUndefined();
  });

  it("samples a large cache: 20,000 entries are judged by some hundred keys and the better one still leads", () => {
    const seed = 99;
    const cache = full(20_000);
    const popular = zipf(seeded(seed), 200_000, 0.9);
    for (let i = 0; i < 150_000; i++) {
      const key = `p${popular()}`;
      if (cache.peek(key, 0) === undefined) cache.set(key, entryOf(1));
    }
    expect(cache.stats().policy, `seed ${seed}`).toBe("lfu");
  });
});

describe("hit ratios", () => {
  const size = 500;
  for (const seed of [7, 1_234]) {
    it(`the orders that the page on caches names hold on zipf, scan, loop and drift, seed ${seed}`, () => {
      type Figures = Record<EvictionPolicyName, number>;
      const percent: Partial<Record<string, Figures>> = {};
      const entry = entryOf(1);
      for (const { name, keys } of traces(seeded, seed, size, 80_000)) {
        const of = (policy: EvictionPolicyName) => hitPercent(room(size, policy), keys, entry);
        percent[name] = {
          "s3-fifo": of("s3-fifo"),
          lru: of("lru"),
          lfu: of("lfu"),
          adaptive: of("adaptive"),
        };
      }
      const said = `seed ${seed}: ${JSON.stringify(percent)}`;
      const { zipf: popular, scan, loop, drift } = percent;
      if (!popular || !scan || !loop || !drift) return expect.unreachable();
      expect(popular["s3-fifo"], said).toBeGreaterThan(popular.lru);
      expect(scan["s3-fifo"], said).toBeGreaterThan(scan.lru);
      expect(loop["s3-fifo"], said).toBeGreaterThan(loop.lru);
      expect(popular.lfu, said).toBeGreaterThan(popular.lru);
      expect(drift.lru, said).toBeGreaterThan(drift.lfu);
      for (const figures of [popular, scan, loop, drift]) {
        expect(figures.adaptive, said).toBeGreaterThan(Math.max(figures.lru, figures.lfu) - 3);
      }
    });
  }
});
