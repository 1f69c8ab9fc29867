import { describe, expect, it } from "vitest";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import { isWarpError } from "../../src/errors.ts";
import { cacheContract, entryOf } from "../contract/cache.ts";
import { codeOf } from "../support/core-bed.ts";
import { FakeKv } from "../support/fake-kv.ts";
import { virtualClock } from "../support/virtual-clock.ts";

cacheContract("kv", () => kvCache(new FakeKv(virtualClock(0)).place(), { space: "s" }));
cacheContract("kv in pages of two names", () =>
  kvCache(new FakeKv(virtualClock(0), 2).place(), { space: "s" }),
);

function bed(options: { readonly ttlMs?: number } = {}) {
  const clock = virtualClock(0);
  const kv = new FakeKv(clock);
  return { clock, kv, cache: kvCache(kv.place(), { space: "s", ...options }) };
}

describe("kv cache", () => {
  it("a TTL under KV's 60 s, or over 30 days, is an error that names the range, never made to fit", () => {
    const { kv } = bed();
    for (const ttlMs of [59_999, 0, -1, 60_000.5, Number.NaN, 2_592_000_001]) {
      try {
        kvCache(kv.place(), { space: "s", ttlMs });
        expect.unreachable();
      } catch (error) {
        expect(isWarpError(error, "invalid_argument")).toBe(true);
        expect(String(error)).toMatch(/ttlMs.*from 60000 to 2592000000/);
      }
    }
    expect(() => kvCache(kv.place(), { space: "No" })).toThrow(/space/);
  });

  it("says how old a copy is: position, epoch and the time at which it was true outlive the process", async () => {
    const { kv, cache } = bed();
    await cache.set("k", entryOf(1, { etag: "00000000000000aa.7", version: 7, asOf: 9, storedAtMs: 5 }));
    const other = kvCache(kv.place(), { space: "s" });
    expect(await other.get("k", 40_000)).toMatchObject({
      etag: "00000000000000aa.7",
      version: 7,
      asOf: 9,
      asOfMs: 5,
      storedAtMs: 5,
    });
  });

  it("a copy that is handed on keeps the time at which it was true", async () => {
    const { cache } = bed();
    await cache.set("k", entryOf(1, { storedAtMs: 500, asOfMs: 100 }));
    expect(await cache.get("k", 600)).toMatchObject({ asOfMs: 100, storedAtMs: 100 });
  });

  it("a copy lives up to its own end or the TTL, whichever is first, and KV drops it then", async () => {
    const { clock, kv, cache } = bed({ ttlMs: 120_000 });
    await cache.set("own", entryOf(1, { expiresAtMs: 1_000 }));
    await cache.set("ttl", entryOf(1));
    expect(await cache.get("own", 999)).toBeDefined();
    expect(await cache.get("own", 1_000)).toBeUndefined();
    expect(await cache.get("ttl", 119_999)).toMatchObject({ expiresAtMs: 120_000 });
    expect(await cache.get("ttl", 120_000)).toBeUndefined();
    await clock.advance(60_000);
    expect(kv.names()).toEqual(["warp:s:copy:ttl"]);
    await clock.advance(60_000);
    expect(kv.names()).toEqual([]);
  });

  it("spaces and other names of the namespace are left alone", async () => {
    const { kv, cache } = bed();
    kv.spoil("warp:s2:copy:k", new ArrayBuffer(1));
    kv.spoil("mine", new ArrayBuffer(1));
    await cache.set("k", entryOf(1));
    await cache.clear();
    expect(kv.names()).toEqual(["mine", "warp:s2:copy:k"]);
  });

  it("a key that with its prefix is too long for KV is not kept and counted", async () => {
    const { kv, cache } = bed();
    expect(await cache.set("k".repeat(500), entryOf(1))).toBe(true);
    expect(await cache.set("k".repeat(501), entryOf(1))).toBe(false);
    expect(await cache.get("k".repeat(501), 0)).toBeUndefined();
    expect(await cache.delete("ü".repeat(256))).toBe(false);
    expect(cache.stats().rejections).toBe(1);
    expect(kv.counts).toMatchObject({ put: 1, get: 0, delete: 0 });
  });

  it("another place gives the old copy for a while, and its position tells", async () => {
    const { clock, kv, cache } = bed();
    const far = kvCache(kv.place(30_000), { space: "s" });
    await cache.set("k", entryOf(1, { asOf: 1, version: 1 }));
    await clock.advance(40_000);
    await cache.set("k", entryOf(1, { asOf: 2, version: 2, storedAtMs: 40_000 }));
    expect(await far.get("k", 40_000)).toMatchObject({ asOf: 1, asOfMs: 0 });
    await cache.delete("k");
    await clock.advance(29_000);
    expect(await far.get("k", 69_000)).toMatchObject({ asOf: 1 });
    await clock.advance(1_000);
    expect(await far.get("k", 70_000)).toBeUndefined();
  });

  it("CA-12 a broken KV is `storage_unavailable`, with its error as the cause", async () => {
    const { kv, cache } = bed();
    await cache.set("k", entryOf(1));
    const cause = new Error("KV GET failed: 503");
    for (const method of ["get", "put", "delete", "list"] as const) kv.fail(method, () => cause);
    for (const work of [
      () => cache.get("k", 0),
      () => cache.set("k", entryOf(1)),
      () => cache.delete("k"),
      () => cache.deleteWhere(() => true),
      () => cache.clear(),
    ]) {
      const error: unknown = await Promise.resolve(work()).catch((thrown: unknown) => thrown);
      expect(isWarpError(error, "storage_unavailable")).toBe(true);
      expect((error as Error).cause).toBe(cause);
    }
  });

  it("CA-12 bytes that are no copy are `decode_failed`, wherever they were cut or bent", async () => {
    const { kv, cache } = bed();
    const name = "warp:s:copy:k";
    await cache.set("k", entryOf(20, { tags: ["t"] }));
    const good = new Uint8Array(kv.raw(name) ?? new ArrayBuffer(0));
    const headEnd = good.byteLength - 20;
    expect(headEnd).toBeGreaterThan(8);
    for (let cut = 0; cut < headEnd; cut++) {
      kv.spoil(name, good.slice(0, cut).buffer);
      expect(await codeOf(Promise.resolve(cache.get("k", 0))), `cut at ${cut}`).toBe("decode_failed");
    }
    const text = new TextDecoder().decode(good.subarray(8, headEnd));
    for (const [from, to] of [
      ['"version":1', '"version":"1"'],
      ['"asOf":1', '"asOf":null'],
      ['"tags":["t"]', '"tags":"t"'],
      ['"contentType"', '"contenttype"'],
      ["{", "["],
    ] as const) {
      const bent = new TextEncoder().encode(text.replace(from, to));
      const whole = new Uint8Array(8 + bent.byteLength);
      whole.set(good.subarray(0, 4));
      new DataView(whole.buffer).setUint32(4, bent.byteLength);
      whole.set(bent, 8);
      kv.spoil(name, whole.buffer);
      expect(await codeOf(Promise.resolve(cache.get("k", 0))), to).toBe("decode_failed");
    }
    kv.spoil(name, new TextEncoder().encode("a stranger's value").buffer);
    expect(await codeOf(Promise.resolve(cache.get("k", 0)))).toBe("decode_failed");
  });
});
