import { describe, expect, it } from "vitest";
import type { CacheEntry } from "../../src/cache/cache.ts";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { tieredCache } from "../../src/cache/tiered/tiered-cache.ts";
import { versionedCache } from "../../src/cache/versioned/versioned-cache.ts";
import { isWarpError } from "../../src/errors.ts";
import { cacheContract, entryOf } from "../contract/cache.ts";
import { FakeKv } from "../support/fake-kv.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

cacheContract("versioned memory", (bounds) => versionedCache(memoryCache(bounds)));
cacheContract("versioned, memory before memory", (bounds) =>
  versionedCache(tieredCache(memoryCache(bounds), memoryCache())),
);

/** Version `n`, committed and stored at `atMs`. */
const of = (n: number, atMs: number, over: Partial<CacheEntry> = {}): CacheEntry =>
  entryOf(1, {
    version: n,
    etag: `0000000000000001.${n}`,
    asOf: n,
    modifiedAtMs: atMs,
    storedAtMs: atMs,
    ...over,
  });

describe("versioned cache", () => {
  it("CORE-03 CA-14 of three versions get gives the third, and a look back at each moment the one of then", () => {
    const cache = versionedCache(memoryCache());
    for (const n of [1, 2, 3]) cache.set("k", of(n, n * 10));
    expect(cache.peek("k", 40)?.version).toBe(3);
    expect([9, 10, 19, 20, 21, 29, 30, 1_000].map((at) => cache.getAt("k", at, 40)?.version)).toEqual([
      undefined,
      1,
      1,
      2,
      2,
      2,
      3,
      3,
    ]);
    expect(cache.versions("k", 40).map(({ version }) => version)).toEqual([3, 2, 1]);
  });

  it("CORE-04 with a TTL of 5 ms, after 10 ms a look at now, or back, finds nothing", () => {
    const cache = versionedCache(memoryCache());
    cache.set("k", of(1, 0, { expiresAtMs: 5 }));
    cache.set("k", of(2, 3, { expiresAtMs: 8 }));
    expect(cache.getAt("k", 1, 4)?.version).toBe(1);
    expect(cache.getAt("k", 1, 5)).toBeUndefined();
    expect(cache.getAt("k", 4, 7)?.version).toBe(2);
    expect(cache.getAt("k", 10, 10)).toBeUndefined();
    expect(cache.versions("k", 10)).toEqual([]);
  });

  it("CA-15 with room for two versions the first of three is no longer there, and its bytes neither", () => {
    const cache = versionedCache(memoryCache(), { versions: 2 });
    for (const n of [1, 2, 3]) cache.set("k", of(n, n * 10));
    expect(cache.getAt("k", 15, 40)).toBeUndefined();
    expect(cache.getAt("k", 25, 40)?.version).toBe(2);
    const { entries, bytes } = cache.stats();
    expect(entries).toBe(2);
    for (const n of [4, 5, 6]) cache.set("k", of(n, n * 10));
    expect(cache.stats()).toMatchObject({ entries, bytes });
  });

  it("CA-16 an invalidation drops all versions of a key and of no other", async () => {
    const drops = [
      (cache: ReturnType<typeof versionedCache>) => cache.delete("a"),
      (cache: ReturnType<typeof versionedCache>) => cache.deleteWhere((key) => key === "a"),
    ];
    for (const drop of drops) {
      const cache = versionedCache(memoryCache());
      for (const n of [1, 2]) for (const key of ["a", "b"]) cache.set(key, of(n, n * 10));
      expect(Number(await drop(cache))).toBe(1);
      expect(cache.getAt("a", 15, 30)).toBeUndefined();
      expect(cache.versions("a", 30)).toEqual([]);
      expect(cache.versions("b", 30)).toHaveLength(2);
      await cache.clear();
      expect(cache.versions("b", 30)).toEqual([]);
      expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0 });
    }
  });

  it("CA-16 with room for the past of one key the older key's goes and is counted, as hits and misses are", () => {
    const cache = versionedCache(memoryCache(), { maxKeys: 1 });
    for (const n of [1, 2]) cache.set("a", of(n, n * 10));
    for (const n of [1, 2]) cache.set("b", of(n, n * 10));
    expect(cache.getAt("a", 15, 30)).toBeUndefined();
    expect(cache.getAt("a", 25, 30)?.version).toBe(2);
    expect(cache.getAt("b", 15, 30)?.version).toBe(1);
    expect(cache.stats()).toMatchObject({ evictions: 1, hits: 2, misses: 1, entries: 3 });
  });

  it("keeps the past within its bytes, its newest keys first", () => {
    const probe = versionedCache(memoryCache());
    probe.set("a", of(1, 0));
    const one = probe.stats().bytes;
    const cache = versionedCache(memoryCache(), { maxBytes: one * 3 });
    for (const key of ["a", "b", "c", "d", "e"]) for (const n of [1, 2]) cache.set(key, of(n, n * 10));
    expect(cache.stats().bytes).toBeLessThanOrEqual(one * 8);
    expect(["a", "b", "c", "d", "e"].map((key) => cache.getAt(key, 15, 30)?.version)).toEqual([
      undefined,
      undefined,
      1,
      1,
      1,
    ]);
  });

  it("does not take a superseded version for the present one when that was given up", () => {
    const cache = versionedCache(memoryCache({ maxEntries: 1 }));
    for (const n of [1, 2]) cache.set("k", of(n, n * 10));
    cache.set("other", of(1, 25));
    expect(cache.peek("k", 30)).toBeUndefined();
    expect(cache.getAt("k", 30, 30)).toBeUndefined();
    expect(cache.getAt("k", 15, 30)?.version).toBe(1);
  });

  it("the same version again, or an older one that comes late, is no new past", () => {
    const cache = versionedCache(memoryCache());
    cache.set("k", of(2, 20));
    cache.set("k", of(2, 20, { storedAtMs: 30 }));
    expect(cache.versions("k", 40).map(({ version }) => version)).toEqual([2]);
    cache.set("k", of(1, 10, { storedAtMs: 40 }));
    expect(cache.versions("k", 50).map(({ version }) => version)).toEqual([1]);
  });

  it("refuses bounds out of range, and a cache that holds nothing in memory", () => {
    for (const options of [{ versions: 0 }, { versions: 10_001 }, { maxKeys: 0 }, { maxBytes: 0.5 }]) {
      const field = Object.keys(options)[0] ?? "";
      try {
        versionedCache(memoryCache(), options);
        expect.unreachable();
      } catch (error) {
        expect(isWarpError(error, "invalid_argument")).toBe(true);
        expect(String(error)).toContain(field);
      }
    }
    const kv = kvCache(new FakeKv(virtualClock(0)).place(), { space: "s" });
    expect(() => versionedCache(kv)).toThrow(/peek/);
  });

  it("looks back as a model does: never a wrong version, at most none", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seeded(seed);
      const cache = versionedCache(memoryCache({ maxEntries: 6 }), {
        versions: 1 + random.below(5),
        maxKeys: 1 + random.below(8),
      });
      const commits = new Map<string, { readonly atMs: number; readonly version: number }[]>();
      let now = 1;
      for (let step = 0; step < 400; step++) {
        now += random.below(4);
        const key = `k${random.below(10)}`;
        const made = commits.get(key) ?? [];
        commits.set(key, made);
        if (random.below(20) === 0) {
          // An invalidation: copies go, the authority's versions stay.
          cache.delete(key);
        } else if (random.below(2) === 0) {
          const version = step + 1;
          made.push({ atMs: now, version });
          // Some commits this node never sees, but it hears of them.
          if (random.below(4) === 0) cache.delete(key);
          else cache.set(key, of(version, now));
        } else {
          const atMs = random.below(now + 5);
          const right = made.findLast((commit) => commit.atMs <= atMs)?.version;
          const got = cache.getAt(key, atMs, now)?.version;
          if (got !== undefined) expect(got, `seed ${seed}, step ${step}`).toBe(right);
        }
      }
    }
  });
});
