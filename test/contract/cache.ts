import { describe, expect, it } from "vitest";
import type { Cache } from "../../src/cache/cache.ts";
import { entryOf } from "./cache-entry.ts";

export { entryOf };

/** Bounds that a cache under test is made with. */
export interface CacheBounds {
  readonly maxEntries?: number;
  readonly maxBytes?: number;
}

/** What every cache driver must do. `make` gives an empty cache, with these bounds if it keeps any. */
export function cacheContract(name: string, make: (bounds?: CacheBounds) => Cache): void {
  describe(`cache contract: ${name}`, () => {
    const { supports } = make();

    it("can do what it says it can", async () => {
      const cache = make();
      await cache.set("k", entryOf(3));
      expect(cache.peek("k", 0) !== undefined).toBe(supports.peek);
      expect(cache.inspect("k", 0) !== undefined).toBe(supports.peek);
      if (supports.bounded) expect(cache.stats()).toMatchObject({ entries: 1, evictions: 0, rejections: 0 });
      // What can't wait answers at once.
      if (!supports.awaits) expect(cache.get("k", 0)).not.toBeInstanceOf(Promise);
      expect(await cache.get("k", 0)).toBeDefined();
    });

    it("CA-01 a copy with a TTL of 1 ms is a hit before and a miss after", async () => {
      const cache = make();
      await cache.set("k", entryOf(3, { storedAtMs: 100, expiresAtMs: 101 }));
      expect(await cache.get("k", 100)).toBeDefined();
      expect(await cache.get("k", 101)).toBeUndefined();
      expect(cache.stats()).toMatchObject({ hits: 1, misses: 1, entries: 0, bytes: 0 });
    });

    it("gives the very entry it was given, by get, and by peek where it can", async () => {
      const cache = make();
      const entry = entryOf(3);
      await cache.set("k", entry);
      if (supports.peek) expect(await cache.get("k", 0)).toBe(entry);
      expect(cache.peek("k", 0)).toBe(supports.peek ? entry : undefined);
      expect(cache.peek("other", 0)).toBeUndefined();
    });

    it("keeps bytes, version, position, age, ends and tags of a copy", async () => {
      const cache = make();
      const entry = entryOf(0, {
        payload: { bytes: Uint8Array.of(0, 255, 10, 13, 128), contentType: "text/plain; charset=utf-8" },
        version: 9_007_199_254_740_991,
        etag: "00000000000000ff.9007199254740991",
        shard: 3,
        asOf: 12,
        modifiedAtMs: 77.5,
        storedAtMs: 100,
        expiresAtMs: 70_000,
        endsAtMs: 900_000,
        tags: ["a", "ü"],
      });
      await cache.set("k", entry);
      const { decoded, decodedBy, asOfMs, ...got } = (await cache.get("k", 101)) ?? entryOf(0);
      expect({ ...got, decoded, decodedBy }).toEqual(entry);
      expect(asOfMs ?? got.storedAtMs).toBe(100);
    });

    it("inspect neither counts nor serves what has expired", async () => {
      const cache = make();
      await cache.set("k", entryOf(3, { expiresAtMs: 10 }));
      const before = cache.stats();
      if (supports.peek) expect(cache.inspect("k", 9)).toBeDefined();
      expect(cache.inspect("k", 10)).toBeUndefined();
      expect(cache.inspect("other", 0)).toBeUndefined();
      expect(cache.stats()).toMatchObject({ hits: before.hits, misses: before.misses });
    });

    it("CA-08 CA-10 delete, deleteWhere and clear drop what they name and say what they dropped", async () => {
      const cache = make();
      for (const key of ["a:1", "a:2", "b:1", "b:2"]) await cache.set(key, entryOf(8));
      expect(await cache.delete("a:1")).toBe(true);
      expect(await cache.get("a:1", 0)).toBeUndefined();
      expect(await cache.delete("a:1")).toBe(supports.persistent);
      expect(await cache.deleteWhere((key) => key.startsWith("b:"))).toBe(2);
      expect(await cache.get("a:2", 0)).toBeDefined();
      expect(await cache.get("b:1", 0)).toBeUndefined();
      await cache.clear();
      expect(await cache.get("a:2", 0)).toBeUndefined();
      expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, evictions: 0 });
      await cache.set("a:2", entryOf(8));
      expect(await cache.get("a:2", 0)).toBeDefined();
    });

    it("keeps keys apart that differ only in what careless code drops", async () => {
      const cache = make();
      const keys = ["__proto__", "constructor", "a", "A", "\u0000", "a\u0000", "é", "e\u0301", "\u{1F600}"];
      for (const [at, key] of keys.entries()) await cache.set(key, entryOf(1, { version: at + 1 }));
      for (const [at, key] of keys.entries()) expect((await cache.get(key, 0))?.version).toBe(at + 1);
    });

    it("does not keep a copy that is over when it is stored", async () => {
      const cache = make();
      await cache.set("k", entryOf(1));
      expect(await cache.set("k", entryOf(1, { storedAtMs: 7, expiresAtMs: 7 }))).toBe(false);
      expect(await cache.get("k", 6)).toBeUndefined();
      expect(cache.stats()).toMatchObject({ entries: 0, rejections: 0 });
    });

    it("a new copy takes the place of the old one", async () => {
      const cache = make();
      await cache.set("k", entryOf(1_000));
      await cache.set("k", entryOf(10, { version: 2 }));
      expect(await cache.get("k", 0)).toMatchObject({ version: 2, payload: { bytes: new Uint8Array(10) } });
    });
  });

  describe.skipIf(!make().supports.bounded)(
    `cache contract, bounds (of caches that keep them): ${name}`,
    () => {
      it("replaces a copy and charges only the new one", async () => {
        const cache = make();
        await cache.set("k", entryOf(1_000));
        const large = cache.stats().bytes;
        const entry = entryOf(10, { version: 2 });
        await cache.set("k", entry);
        expect(cache.stats()).toMatchObject({ entries: 1, bytes: large - 990, evictions: 0 });
        expect(await cache.get("k", 0)).toBe(entry);
      });

      it("CA-04 with room for two, a read entry stays and an unread one goes", async () => {
        const cache = make({ maxEntries: 2 });
        await cache.set("a", entryOf(1));
        await cache.set("b", entryOf(1));
        await cache.get("a", 0);
        await cache.set("c", entryOf(1));
        expect(await cache.get("b", 0)).toBeUndefined();
        expect(await cache.get("a", 0)).toBeDefined();
        expect(await cache.get("c", 0)).toBeDefined();
        expect(cache.stats()).toMatchObject({ entries: 2, evictions: 1 });
      });

      it("CA-05 X-23 the byte budget counts real payload bytes, and the oldest goes", async () => {
        const probe = make();
        for (const key of ["a", "b", "c"]) await probe.set(key, entryOf(5));
        const three = probe.stats().bytes;
        await probe.set("a", entryOf(1_005));
        expect(probe.stats().bytes).toBe(three + 1_000);

        const maxBytes = three + 5;
        const cache = make({ maxBytes });
        for (const key of ["a", "b", "c"]) await cache.set(key, entryOf(5));
        expect(cache.stats().entries).toBe(3);
        await cache.set("d", entryOf(10));
        expect(await cache.get("a", 0)).toBeUndefined();
        expect(await cache.get("d", 0)).toBeDefined();
        expect(cache.stats().bytes).toBeLessThanOrEqual(maxBytes);
        expect(cache.stats()).toMatchObject({ entries: 3, evictions: 1 });
      });

      it("a longer key costs more of the budget", async () => {
        const [short, long] = [make(), make()];
        await short.set("k", entryOf(1));
        await long.set("k".repeat(100), entryOf(1));
        expect(long.stats().bytes).toBeGreaterThanOrEqual(short.stats().bytes + 99);
      });

      it("refuses a copy that alone exceeds the budget, counts it and drops the old copy", async () => {
        const probe = make();
        await probe.set("k", entryOf(100));
        const cache = make({ maxBytes: probe.stats().bytes });
        expect(await cache.set("other", entryOf(10))).toBe(true);
        expect(await cache.set("k", entryOf(100))).toBe(true);
        expect(await cache.set("k", entryOf(101))).toBe(false);
        expect(await cache.get("k", 0)).toBeUndefined();
        expect(cache.stats()).toMatchObject({ rejections: 1 });
      });

      it("a copy that grows pushes out others, never itself", async () => {
        const probe = make();
        await probe.set("k0", entryOf(100));
        const maxBytes = probe.stats().bytes * 10;
        const cache = make({ maxBytes });
        for (let i = 0; i < 10; i++) await cache.set(`k${i}`, entryOf(100));
        for (const key of ["k0", "k9", "k5"]) {
          expect(await cache.set(key, entryOf(1_000))).toBe(true);
          expect(await cache.get(key, 0)).toBeDefined();
          expect(cache.stats().bytes).toBeLessThanOrEqual(maxBytes);
        }
        expect(await cache.set("k5", entryOf(maxBytes - probe.stats().bytes + 100))).toBe(true);
        expect(cache.stats()).toMatchObject({ entries: 1, bytes: maxBytes });
      });

      it("expired copies go first, are not counted as evictions and leave no bytes behind", async () => {
        const cache = make({ maxEntries: 8 });
        for (let i = 0; i < 4; i++) await cache.set(`live${i}`, entryOf(10));
        for (let i = 0; i < 4; i++) await cache.set(`brief${i}`, entryOf(10, { expiresAtMs: 5 }));
        for (let i = 0; i < 4; i++) await cache.set(`new${i}`, entryOf(10, { storedAtMs: 5 }));
        expect(cache.stats()).toMatchObject({ entries: 8, evictions: 0 });
        for (let i = 0; i < 4; i++) expect(await cache.get(`live${i}`, 5)).toBeDefined();
      });
    },
  );
}
