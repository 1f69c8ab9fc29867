import { describe, expect, it } from "vitest";
import type { CacheEntry } from "../../src/cache/cache.ts";
import { chargedBytes } from "../../src/cache/charge.ts";
import { type EvictionPolicyName, memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { isWarpError } from "../../src/errors.ts";
import { cacheContract, entryOf } from "../contract/cache.ts";
import { seeded } from "../support/seeded.ts";
import { lru, zipf } from "./traces.ts";

const policies: readonly EvictionPolicyName[] = ["s3-fifo", "lru", "lfu", "adaptive"];

for (const policy of policies)
  cacheContract(`memory, ${policy}`, (bounds) => memoryCache({ ...bounds, policy }));

describe("memory cache", () => {
  it("refuses bounds out of range at once and names the field and its range", () => {
    for (const options of [
      { maxEntries: 0 },
      { maxEntries: 1.5 },
      { maxEntries: 2 ** 24 + 1 },
      { maxBytes: 0 },
      { maxBytes: Number.NaN },
      { maxBytes: -1 },
    ]) {
      const field = Object.keys(options)[0] ?? "";
      try {
        memoryCache(options);
        expect.unreachable();
      } catch (error) {
        expect(isWarpError(error, "invalid_argument")).toBe(true);
        expect(String(error)).toMatch(new RegExp(`${field}.*from 1 to`));
      }
    }
  });

  it("CA-06 the policy is s3-fifo unless another is asked for; an unknown one is refused by name", () => {
    expect(memoryCache().stats().policy).toBe("s3-fifo");
    for (const policy of ["lru", "lfu"] as const) expect(memoryCache({ policy }).stats().policy).toBe(policy);
    expect(memoryCache({ policy: "adaptive" }).stats().policy).toBe("lru");
    for (const policy of ["LRU", "", "constructor"]) {
      try {
        memoryCache({ policy: policy as EvictionPolicyName });
        expect.unreachable();
      } catch (error) {
        expect(isWarpError(error, "invalid_argument")).toBe(true);
        expect(String(error)).toMatch(/policy is one of s3-fifo, lru, lfu, adaptive/);
      }
    }
  });

  it.each(policies)(
    "CA-02 %s: an expired entry goes without being read, by the sweep of later sets",
    (policy) => {
      const cache = memoryCache({ policy });
      for (let i = 0; i < 1_000; i++) cache.set(`old${i}`, entryOf(10, { expiresAtMs: 5 }));
      for (let i = 0; i < 250; i++) cache.set(`new${i}`, entryOf(10, { storedAtMs: 5 }));
      expect(cache.stats()).toMatchObject({ entries: 250, evictions: 0 });
    },
  );

  it.each(policies)(
    "%s keeps its bounds and its books under random operations, and never gives a foreign or expired value",
    (policy) => {
      for (let run = 0; run < 12; run++) {
        const seed = 0xca5e + run;
        const random = seeded(seed);
        const maxEntries = 1 + random.below(60);
        const maxBytes = 500 + random.below(50_000);
        const cache = memoryCache({ maxEntries, maxBytes, policy });
        /** The newest copy of each key; what the cache holds must be a part of it. */
        const model = new Map<string, CacheEntry>();
        let now = 1_000;
        const where = `seed ${seed}`;
        for (let step = 0; step < 2_000; step++) {
          now += random.below(3);
          const key = `key${random.below(100)}`;
          const roll = random.below(100);
          if (roll < 50) {
            const got = cache.peek(key, now);
            if (got !== undefined) {
              expect(got, where).toBe(model.get(key));
              expect(got.expiresAtMs, where).toBeGreaterThan(now);
            }
          } else if (roll < 90) {
            const entry = entryOf(random.below(roll === 89 ? 60_000 : 900), {
              storedAtMs: now,
              expiresAtMs: random.below(3) === 0 ? now + random.below(20) : Number.POSITIVE_INFINITY,
            });
            const fits = chargedBytes(key, entry) <= maxBytes && entry.expiresAtMs > now;
            expect(cache.set(key, entry), where).toBe(fits);
            if (fits) model.set(key, entry);
            else model.delete(key);
            expect(cache.inspect(key, now), where).toBe(fits ? entry : undefined);
          } else if (roll < 97) {
            cache.delete(key);
            model.delete(key);
            expect(cache.inspect(key, now), where).toBeUndefined();
          } else if (roll < 99) {
            const digit = String(random.below(10));
            cache.deleteWhere((held) => held.endsWith(digit));
            for (const held of model.keys()) if (held.endsWith(digit)) model.delete(held);
          } else if (random.below(10) === 0) {
            cache.clear();
            model.clear();
          }
          const stats = cache.stats();
          expect(stats.entries, where).toBeLessThanOrEqual(maxEntries);
          expect(stats.bytes, where).toBeLessThanOrEqual(maxBytes);
          if (step % 50 === 0) {
            // All that is held, expired or not: time before the first operation expires nothing.
            let entries = 0;
            let bytes = 0;
            for (const [held, entry] of model) {
              if (cache.inspect(held, 0) === undefined) continue;
              entries++;
              bytes += chargedBytes(held, entry);
            }
            expect(stats, where).toMatchObject({ entries, bytes });
          }
        }
        cache.deleteWhere(() => true);
        expect(cache.stats(), where).toMatchObject({ entries: 0, bytes: 0 });
      }
    },
  );

  it("resists a scan: on a zipf load with scans it misses clearly less than LRU of the same size", () => {
    const seed = 20_231;
    const size = 500;
    const cache = memoryCache({ maxEntries: size, maxBytes: 2 ** 30 });
    const other = lru(size);
    const next = zipf(seeded(seed), 5_000, 0.9);
    let [ours, theirs, reads] = [0, 0, 0];
    const read = (key: string, counted: boolean): void => {
      const hit = cache.peek(key, 0) !== undefined;
      if (!hit) cache.set(key, entryOf(1));
      const otherHit = other(key);
      if (!counted) return;
      reads++;
      if (!hit) ours++;
      if (!otherHit) theirs++;
    };
    let scanned = 0;
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < 2_000; i++) read(`hot${next()}`, round >= 5);
      for (let i = 0; i < 600; i++) read(`scan${scanned++}`, false);
    }
    expect(reads).toBe(70_000);
    expect(ours, `misses ${ours} against ${theirs} of LRU, seed ${seed}`).toBeLessThan(theirs * 0.85);
  });

  it("follows a change of the working set: what was popular once does not stay for ever", () => {
    const cache = memoryCache({ maxEntries: 100, maxBytes: 2 ** 30 });
    const hits = [0, 0];
    for (let round = 0; round < 40; round++) {
      const age = round < 20 ? "old" : "new";
      for (let i = 0; i < 80; i++) {
        const hit = cache.peek(`${age}${i}`, 0) !== undefined;
        if (!hit) cache.set(`${age}${i}`, entryOf(1));
        if (hit && round % 20 >= 10) hits[round < 20 ? 0 : 1] = (hits[round < 20 ? 0 : 1] ?? 0) + 1;
      }
    }
    expect(hits).toEqual([800, 800]);
  });

  it("a key that comes back soon after its eviction goes to the main queue and outlives new ones", () => {
    const cache = memoryCache({ maxEntries: 10, maxBytes: 2 ** 30 });
    for (let i = 0; i < 11; i++) cache.set(`k${i}`, entryOf(1));
    expect(cache.inspect("k0", 0)).toBeUndefined();
    cache.set("k0", entryOf(1));
    for (let i = 0; i < 30; i++) cache.set(`n${i}`, entryOf(1));
    expect(cache.inspect("k0", 0)).toBeDefined();
  });
});
