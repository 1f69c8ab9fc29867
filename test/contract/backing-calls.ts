import { expect, it } from "vitest";
import { utf8 } from "../../src/runtime/bytes.ts";
import {
  at,
  type BackingUnderTest,
  batch,
  bound,
  carryOut,
  failure,
  gone,
  one,
  put,
  scanned,
  text,
} from "./backing-bed.ts";

/** What others write, what is malformed, and what goes wrong on the way. */
export function callCases({ run }: BackingUnderTest): void {
  it("AD6 a value that others wrote is read as it is, without a stamp, until a shard writes the key", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      await bed.putPlain("number", utf8("5"));
      await bed.putPlain("null", utf8("null"));
      await bed.putPlain("bytes", bytes);
      await bed.putPlain("empty", new Uint8Array());
      expect(await text(backing, "number")).toBe("5");
      expect(await text(backing, "null")).toBe("null");
      expect(await text(backing, "empty")).toBe("");
      const entry = await one(backing, "bytes");
      expect(entry?.payload.bytes).toEqual(bytes);
      expect(entry?.stamp).toBeUndefined();
      expect(entry?.tags).toBeUndefined();
      expect(await scanned(backing)).toEqual(["bytes", "empty", "null", "number"]);
      await carryOut(backing, put(1, "number", "6"), gone(2, "null"));
      await bed.remove("bytes");
      expect(await one(backing, "number")).toMatchObject({ stamp: { version: 1 } });
      expect(await scanned(backing)).toEqual(["empty", "number"]);
      // And the other way round.
      await bed.putPlain("number", utf8("7"));
      expect((await one(backing, "number"))?.stamp).toBeUndefined();
    }));

  it("AD4 what can't be read names its key, others are read, and it can be written or deleted", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      await carryOut(backing, put(1, "a", "1"), put(2, "broken", "secret"), put(3, "gone", "3"));
      await bed.breakValue("broken");
      await bed.breakValue("gone");
      const error = await failure(backing.read(["a", "broken"]));
      expect(error).toMatchObject({ code: "decode_failed", outcome: "fail", details: { key: "broken" } });
      expect(error.message).not.toContain("secret");
      expect(await text(backing, "a")).toBe("1");
      await carryOut(backing, put(4, "broken", "whole"), gone(5, "gone"));
      expect(await text(backing, "broken")).toBe("whole");
      expect(await text(backing, "gone")).toBeNull();
    }));

  it("AD1 answers stand in the order of the keys, one for each, also for the same key twice", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      await carryOut(backing, put(1, "a", "1"), put(2, "b/é\n\0", "2"));
      const entries = await backing.read(["b/é\n\0", "none", "a", "b/é\n\0"]);
      expect(entries.map((entry) => entry?.key ?? null)).toEqual(["b/é\n\0", null, "a", "b/é\n\0"]);
    }));

  it("AD1 a scan finds all keys, whatever the size of its pages", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      expect(await scanned(backing)).toEqual([]);
      const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`).sort();
      await carryOut(backing, ...keys.map((key, i) => put(i + 1, key, key)));
      for (const limit of [1, 7, 299, 300, 1_000]) expect(await scanned(backing, limit)).toEqual(keys);
    }));

  it("AD3 clear removes all of the space in pieces, its places last", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      await backing.bind(3, null, at(1));
      for (let part = 0; part < 4; part++) {
        const changes = Array.from({ length: 500 }, (_, i) => put(part * 500 + i + 1, `${part}:${i}`, "v"));
        await carryOut(backing, ...changes);
      }
      await bed.putPlain("other's", utf8("v"));
      let pieces = 1;
      while (!(await backing.clear())) {
        pieces++;
        expect(pieces).toBeLessThan(100);
      }
      expect(pieces).toBeGreaterThan(1);
      expect(await scanned(backing)).toEqual([]);
      expect(await backing.position(0)).toBeNull();
      expect(await backing.position(3)).toBeNull();
      expect(await backing.clear()).toBe(true);
      const late = batch(at(2_000), put(2_001, "k", "late"));
      expect(await backing.apply(late)).toEqual({ state: "elsewhere", found: null });
      expect(await text(backing, "k")).toBeNull();
      expect(await backing.bind(0, null, at(0))).toBe(true);
    }));

  it("AD4 what is malformed is refused before it is sent", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const many = (count: number) => Array.from({ length: count }, (_, i) => put(i + 1, `${i}`, "v"));
      for (const [changes, code] of [
        [[], "invalid_argument"],
        [many(501), "invalid_argument"],
        [[put(0, "k", "v")], "invalid_argument"],
        [[put(2, "k", "v"), put(1, "l", "v")], "invalid_argument"],
        [[put(2, "k", "v"), put(2, "l", "v")], "invalid_argument"],
        [[put(1, "", "v")], "invalid_key"],
        [[put(1, "k".repeat(513), "v")], "invalid_key"],
        [[gone(1, "\ud800")], "invalid_key"],
      ] as const) {
        expect(await failure(backing.apply(batch(at(0), ...changes)))).toMatchObject({
          code,
          outcome: "fail",
        });
      }
      expect(await failure(backing.read([]))).toMatchObject({ code: "invalid_argument" });
      expect(await failure(backing.read(many(501).map(({ key }) => key)))).toMatchObject({
        code: "invalid_argument",
      });
      expect(await failure(backing.read(["k", "k".repeat(513)]))).toMatchObject({ code: "invalid_key" });
      for (const limit of [0, 1_001, 1.5]) {
        expect(await failure(backing.scan({ limit }))).toMatchObject({ code: "invalid_limit" });
      }
      expect(await failure(backing.position(0, { timeoutMs: 0 }))).toMatchObject({
        code: "invalid_argument",
      });
      expect(await backing.position(0)).toEqual(at(0));
    }));

  it("AD5 a batch that the storage does not take is refused with nothing done; its parts are taken", () =>
    run(async (bed) => {
      const backing = await bound(bed, { small: true });
      expect(backing.maxBatchBytes).toBeLessThan(100_000);
      const changes = [1, 2, 3, 4].map((i) => put(i, `${i}`, new Uint8Array(20_000)));
      const error = await failure(backing.apply(batch(at(0), ...changes)));
      expect(error).toMatchObject({ code: "batch_too_large", outcome: "fail", retryable: false });
      expect(await backing.position(0)).toEqual(at(0));
      for (const change of changes) expect(await carryOut(backing, change)).toEqual({ state: "applied" });
      expect(await scanned(backing)).toEqual(["1", "2", "3", "4"]);
    }));

  it("AD4 OU1 a batch that was lost is unknown; sent again, it says whether it had been carried out", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const [first, second] = [batch(at(0), put(1, "k", "1")), batch(at(1), put(2, "k", "2"))];
      await bed.lose("before");
      expect(await failure(backing.apply(first))).toMatchObject({
        code: "storage_unavailable",
        outcome: "unknown",
        retryable: true,
      });
      expect(await backing.apply(first)).toEqual({ state: "applied" });
      await bed.lose("after");
      expect(await failure(backing.apply(second))).toMatchObject({
        code: "storage_unavailable",
        outcome: "unknown",
      });
      expect(await backing.apply(second)).toEqual({ state: "repeated" });
      expect(await text(backing, "k")).toBe("2");
      await bed.lose("after");
      expect(await failure(backing.bind(0, at(2), at(9)))).toMatchObject({ outcome: "unknown" });
      expect(await backing.bind(0, at(2), at(9))).toBe(true);
    }));

  it("AD4 who waits too long is told so: a read failed, a batch is unknown and may have been carried out", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const limits = { timeoutMs: bed.shortMs };
      await carryOut(backing, put(1, "k", "v"));
      await bed.hold();
      const read = failure(backing.read(["k"], limits));
      bed.pass();
      // Not "absent".
      expect(await read).toMatchObject({ code: "storage_timeout", outcome: "fail" });
      await bed.hold();
      const sent = batch(at(1), put(2, "k", "w"));
      const apply = failure(backing.apply(sent, limits));
      bed.pass();
      expect(await apply).toMatchObject({ code: "storage_timeout", outcome: "unknown" });
      expect(await backing.apply(sent)).toEqual({ state: "repeated" });
    }));

  it("AD4 who gives up is told so", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      const sent = batch(at(0), put(1, "k", "v"));
      const early = failure(backing.apply(sent, { signal: AbortSignal.abort() }));
      expect(await early).toMatchObject({ code: "aborted", outcome: "fail" });
      expect(await backing.position(0)).toEqual(at(0));
      const gone = new AbortController();
      await bed.hold();
      const late = failure(backing.apply(sent, { signal: gone.signal }));
      gone.abort();
      expect(await late).toMatchObject({ code: "aborted" });
    }));

  it("AD4 after close every call is warp_closed, and the storage stays", () =>
    run(async (bed) => {
      const backing = await bound(bed);
      await bed.hold();
      const held = failure(backing.read(["k"]));
      backing.close();
      backing.close();
      expect(await held).toMatchObject({ code: "warp_closed", outcome: "fail" });
      for (const call of [
        backing.position(0),
        backing.bind(0, at(0), at(1)),
        backing.apply(batch(at(0), put(1, "k", "v"))),
        backing.read(["k"]),
        backing.scan({ limit: 1 }),
        backing.clear(),
      ]) {
        expect(await failure(call)).toMatchObject({ code: "warp_closed", outcome: "fail" });
      }
      expect(await bed.open().position(0)).toEqual(at(0));
    }));
}
