import { expect, it } from "vitest";
import { maxKeyBytes } from "../../src/runtime/limits.ts";
import {
  at,
  type BackingUnderTest,
  batch,
  bound,
  carryOut,
  epoch,
  gone,
  one,
  otherEpoch,
  put,
  scanned,
  text,
} from "./backing-bed.ts";

/** How a shard's log gets there: once, in order, and never late. */
export function logCases({ run, supports }: BackingUnderTest): void {
  it("AD1 what nobody bound is nowhere, and takes nothing", () =>
    run(async (bed) => {
      const backing = bed.open();
      expect(await backing.position(0)).toBeNull();
      const sent = batch(at(0), put(1, "k", "v"));
      expect(await backing.apply(sent)).toEqual({ state: "elsewhere", found: null });
      expect(await text(backing, "k")).toBeNull();
    }));

  it("AD1 a place is taken by who knows the present one; a repetition is true again", () =>
    run(async (bed) => {
      const backing = bed.open();
      expect(await backing.bind(0, null, at(7, 2))).toBe(true);
      expect(await backing.bind(0, null, at(7, 2))).toBe(true);
      expect(await backing.bind(0, null, at(8))).toBe(false);
      expect(await backing.bind(0, at(7, 1), at(8))).toBe(false);
      expect(await backing.bind(0, at(7, 2, otherEpoch), at(8))).toBe(false);
      expect(await backing.position(0)).toEqual(at(7, 2));
      expect(await backing.bind(0, at(7, 2), at(3, 0, otherEpoch))).toBe(true);
      expect(await bed.open().position(0)).toEqual(at(3, 0, otherEpoch));
      // Each shard has its own, and so has each space.
      expect(await backing.position(1)).toBeNull();
      expect(await backing.bind(255, null, at(9_007_199_254_740_991, 4_095))).toBe(true);
      expect(await backing.position(255)).toEqual(at(9_007_199_254_740_991, 4_095));
      expect(await bed.open({ space: "other" }).position(0)).toBeNull();
      // Behind the last shard that there may be something else may be noted.
      expect(await backing.bind(256, null, at(0, 0, "5ace"))).toBe(true);
      expect(await backing.position(256)).toEqual(at(0, 0, "5ace"));
    }));

  it("AD1 of those who bind at once one wins", () =>
    run(async (bed) => {
      const takers = Array.from({ length: 8 }, (_, i) => ({ backing: bed.open(), next: at(i + 1) }));
      const won = await Promise.all(takers.map(({ backing, next }) => backing.bind(0, null, next)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await bed.open().position(0)).toEqual(takers[won.indexOf(true)]?.next);
    }));

  it("AD1 a batch is carried out, and the place is its last one", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const changes = [put(1, "a", "1"), put(2, "b", "2"), put(3, "c", "3", { seq: 1 }), gone(3, "a", 2)];
      expect(await backing.apply(batch(at(0), ...changes))).toEqual({ state: "applied" });
      expect(await backing.position(0)).toEqual(at(3, 2));
      expect(await Promise.all(["a", "b", "c"].map((key) => text(backing, key)))).toEqual([null, "2", "3"]);
      expect(await scanned(backing)).toEqual(["b", "c"]);
    }));

  it("AD1 all that a shard says of a value comes back", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const nowMs = bed.time.now();
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => 255 - i);
      const contentType = 'text/x-odd; a="1;2,3%;é"';
      const tags = ["a,b", "c;d", "é 🙂", "%41"];
      const times = { modifiedAtMs: nowMs - 5, expiresAtMs: nowMs + 90_000 };
      await carryOut(
        backing,
        put(9, "k", "", { version: 12, payload: { bytes, contentType }, tags, ...times }),
        put(10, "empty", "", { payload: { bytes: new Uint8Array(), contentType: "" } }),
      );
      const stamp = { epoch, version: 12 };
      expect(await one(backing, "k")).toEqual({
        key: "k",
        payload: { bytes, contentType },
        tags,
        ...times,
        stamp,
      });
      const nothing = { bytes: new Uint8Array(), contentType: "" };
      const plain = { key: "empty", payload: nothing, modifiedAtMs: 1_000, stamp: { epoch, version: 10 } };
      expect(await one(backing, "empty")).toEqual(plain);
    }));

  it("AD1 of several changes of a key the last one counts", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      await carryOut(
        backing,
        put(1, "a", "1"),
        gone(2, "a"),
        put(3, "a", "3"),
        put(4, "b", "4"),
        gone(5, "b"),
      );
      expect(await text(backing, "a")).toBe("3");
      expect(await text(backing, "b")).toBeNull();
      await carryOut(backing, gone(6, "b"), gone(7, "a"), gone(8, "a"));
      expect(await scanned(backing)).toEqual([]);
    }));

  it("AD4 a batch that is sent again is repeated, and does nothing again", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const sent = batch(at(0), put(1, "k", "shard's"), gone(2, "x"));
      expect(await backing.apply(sent)).toEqual({ state: "applied" });
      await bed.putPlain("k", new TextEncoder().encode("other's"));
      await bed.putPlain("x", new TextEncoder().encode("other's"));
      expect(await backing.apply(sent)).toEqual({ state: "repeated" });
      expect(await text(backing, "k")).toBe("other's");
      expect(await text(backing, "x")).toBe("other's");
    }));

  it("AD4 a late copy never lands, not even after a deletion", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const late = batch(at(0), put(1, "k", "old"), put(2, "l", "old"));
      await backing.apply(late);
      await carryOut(backing, gone(3, "k"), put(4, "l", "new"));
      expect(await bed.open().apply(late)).toEqual({ state: "elsewhere", found: at(4) });
      expect(await text(backing, "k")).toBeNull();
      expect(await text(backing, "l")).toBe("new");
    }));

  it("AD4 of two batches from one place, cut differently, one is carried out", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const [short, long] = [
        batch(at(0), put(1, "a", "1")),
        batch(at(0), put(1, "a", "1"), put(2, "b", "2")),
      ];
      const verdicts = await Promise.all([bed.open().apply(short), bed.open().apply(long)]);
      const found = await backing.position(0);
      expect(verdicts.map(({ state }) => state).sort()).toEqual(["applied", "elsewhere"]);
      expect(verdicts).toContainEqual({ state: "elsewhere", found });
      expect(await scanned(backing)).toEqual(found?.revision === 1 ? ["a"] : ["a", "b"]);
    }));

  it("AD2 another life takes over: what the earlier one wrote is read, what it still sends does not land", () =>
    run(async (bed) => {
      const earlier = await bound(bed);
      await carryOut(earlier, put(5, "k", "earlier"), put(6, "gone", "earlier"));
      const later = bed.open();
      expect(await later.bind(0, at(6), at(0, 0, otherEpoch))).toBe(true);
      expect(await one(later, "k")).toMatchObject({ stamp: { epoch, version: 5 } });
      const taken = batch(at(0, 0, otherEpoch), put(1, "k", "later"), gone(2, "gone"));
      expect(await later.apply(taken)).toEqual({ state: "applied" });
      const late = batch(at(6), put(7, "k", "late"), put(8, "gone", "late"));
      expect(await earlier.apply(late)).toEqual({ state: "elsewhere", found: at(2, 0, otherEpoch) });
      expect(await one(later, "k")).toMatchObject({ stamp: { epoch: otherEpoch, version: 1 } });
      expect(await text(later, "gone")).toBeNull();
    }));

  it("AD3 shards and spaces don't meet", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const other = await bound(bed, { space: "other" });
      await backing.bind(1, null, at(40));
      await backing.apply({ ...batch(at(40), put(41, "of1", "1")), shard: 1 });
      await carryOut(other, put(1, "k", "other's"));
      await carryOut(backing, put(1, "k", "ours"));
      expect(await backing.position(1)).toEqual(at(41));
      expect(await scanned(backing)).toEqual(["k", "of1"]);
      expect(await scanned(other)).toEqual(["k"]);
      expect(await text(other, "k")).toBe("other's");
      while (!(await backing.clear()));
      expect(await text(other, "k")).toBe("other's");
      expect(await other.position(0)).toEqual(at(1));
    }));

  it("AD5 500 changes of keys of 512 bytes, then all of them at once again", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const keys = Array.from({ length: 500 }, (_, i) => `🙂${i}:`.padEnd(maxKeyBytes - 2, "\u0001"));
      const changes = keys.map((key, i) =>
        put(i + 1, key, `value ${i}`, { expiresAtMs: bed.time.now() + 60_000 + i }),
      );
      expect(await backing.apply(batch(at(0), ...changes))).toEqual({ state: "applied" });
      const entries = await backing.read(keys);
      expect(entries.map((entry) => entry?.key)).toEqual(keys);
      expect(entries.map((entry) => entry?.stamp?.version)).toEqual(keys.map((_, i) => i + 1));
      expect(await scanned(backing, 100)).toEqual([...keys].sort());
      await carryOut(backing, ...keys.map((key, i) => gone(501 + i, key)));
      expect(await backing.read(keys)).toEqual(keys.map(() => null));
    }));

  it("AD5 a batch of as many bytes as a driver takes, and reads of more than one answer holds", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      expect(backing.maxBatchBytes).toBeGreaterThanOrEqual(4 * 1_000_000);
      const large = new Uint8Array(1_048_576).fill(0xfe);
      for (let i = 0; i < 4; i++) {
        const three = [1, 2, 3].map((j) => put(i * 3 + j, `${i * 3 + j}`, large));
        expect(await carryOut(backing, ...three)).toEqual({ state: "applied" });
      }
      await carryOut(backing, put(13, "13", new Uint8Array(1_900_000).fill(1)));
      const keys = [...Array.from({ length: 13 }, (_, i) => `${i + 1}`), "absent", "1"];
      const entries = await backing.read(keys);
      expect(entries.map((entry) => entry?.payload.bytes.length)).toEqual([
        ...Array.from({ length: 12 }, () => 1_048_576),
        1_900_000,
        undefined,
        1_048_576,
      ]);
      expect(entries[11]?.payload.bytes.every((byte) => byte === 0xfe)).toBe(true);
    }));

  it("AD5 500 small values with all tags that there may be", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const tags = Array.from({ length: 16 }, (_, i) => `${i}`.padEnd(62, "é"));
      const contentType = "é".repeat(127);
      const payload = { bytes: new Uint8Array(5_000), contentType };
      const changes = Array.from({ length: 500 }, (_, i) => put(i + 1, `${i}`, "", { payload, tags }));
      expect(await carryOut(backing, ...changes)).toEqual({ state: "applied" });
      expect(await one(backing, "499")).toMatchObject({ tags, payload: { contentType } });
    }));

  if (supports.expiry) {
    it("EX1 what has ended is absent, and a new value has a life of its own", () =>
      run(async (bed) => {
        const backing = await bound(bed);
        const nowMs = bed.time.now();
        await carryOut(
          backing,
          put(1, "short", "v", { expiresAtMs: nowMs + 1_000 }),
          put(2, "long", "v", { expiresAtMs: nowMs + 3_600_000 }),
          put(3, "over", "v", { expiresAtMs: nowMs - 3_600_000 }),
          put(4, "again", "v", { expiresAtMs: nowMs + 1_000 }),
        );
        expect(await text(backing, "over")).toBeNull();
        expect(await text(backing, "short")).toBe("v");
        await carryOut(backing, put(5, "again", "w"));
        bed.time.advance(1_000);
        expect(await text(backing, "short")).toBeNull();
        expect(await text(backing, "long")).toBe("v");
        expect(await one(backing, "again")).toMatchObject({ stamp: { version: 5 } });
        expect((await one(backing, "again"))?.expiresAtMs).toBeUndefined();
      }));
  }
}
