import { describe, expect, it } from "vitest";
import { nullAdapter } from "../../src/adapter/null/null-adapter.ts";
import { bytesCodec, payloadCodec, textCodec } from "../../src/runtime/codec.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";

describe("get, set, delete, invalidate", () => {
  it("CORE-01 a value that was set is read; an invalidated or deleted one is not in L1", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: statics({ "user:*": { mode: "local" } }) });
    await warp.set("user:1", { name: "Ada" });
    expect(await warp.get("user:1")).toEqual({ name: "Ada" });
    expect(adapter.count("getMany")).toBe(0);
    await warp.invalidate({ keys: ["user:1"] });
    expect(warp.peek("user:1")).toBeUndefined();
    // What is stored stays: the next read loads it.
    expect(await warp.get("user:1")).toEqual({ name: "Ada" });
    await warp.delete("user:1");
    expect(await warp.get("user:1")).toBeUndefined();
    expect(bed.leaks).toEqual([]);
  });

  it("CORE-02 32 writers and 32 readers of one key work 64 rounds each without an error", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("hot", 0);
    const failures: unknown[] = [];
    const round = async (work: (i: number) => Promise<unknown>): Promise<void> => {
      for (let i = 0; i < 64; i++) await work(i).catch((error: unknown) => failures.push(error));
    };
    const workers = Array.from({ length: 32 }, (_, n) => [
      round((i) => warp.set("hot", n * 64 + i)),
      round(async () => expect(typeof (await warp.get("hot"))).toBe("number")),
    ]);
    await Promise.all(workers.flat());
    expect(failures).toEqual([]);
  });

  it("CORE-06 a value that is only in the storage is loaded", async () => {
    const bed = coreBed();
    await bed.node().warp.set("k", "stored");
    const { warp } = bed.node();
    expect(await warp.get("k")).toBe("stored");
    expect(warp.peek("k")).toBe("stored");
    await warp.invalidate({ keys: ["k"] });
    expect(await warp.get("k")).toBe("stored");
  });

  it("CORE-09 a read that misses in a failing storage gives the very error of the storage", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.get("other");
    const boom = new Error("disk on fire");
    adapter.failing("getMany", () => boom);
    await expect(warp.get("k")).rejects.toBe(boom);
  });

  it("AD-03 what one Warp wrote another over the same storage reads", async () => {
    const bed = coreBed();
    const written = await bed.node().warp.set("k", [1, 2, 3]);
    const entry = await bed.node().warp.getEntry("k");
    expect(entry).toMatchObject({
      value: [1, 2, 3],
      version: written.version,
      etag: written.etag,
      cache: "miss",
    });
  });

  it("X-01 without a storage the writer still reads its own value, past any staleness bound", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ adapter: nullAdapter({ clock: bed.clock, random: seeded(3) }) });
    await warp.set("k", "mine");
    expect(await warp.get("k")).toBe("mine");
    await bed.clock.advance(60_000);
    expect(await warp.get("k")).toBe("mine");
    await warp.setMany([["many", 1]]);
    expect(await warp.get("many")).toBe(1);
    await warp.delete("k");
    expect(await warp.get("k")).toBeUndefined();
    await bed.clock.advance(300_000);
    expect(await warp.get("many")).toBeUndefined();
  });

  it("tells of an absent key at which position it was absent", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const { cursor } = await warp.set("a", 1);
    expect(await warp.lookup("b")).toEqual({ key: "b", value: undefined, version: 0, cursor, cache: "miss" });
    expect(await warp.getEntry("b")).toBeUndefined();
  });

  it("counts ages and lives from the moment of sending", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("k", 1, { expiresInMs: 2_000 });
    await warp.invalidateLocal({ keys: ["k"] });
    adapter.hold("getMany");
    const reading = warp.getEntry("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    await bed.clock.advance(300);
    await call.answer();
    expect(await reading).toMatchObject({ ageMs: 0, expiresInMs: 1_700, cache: "miss" });
    await bed.clock.advance(1_000);
    expect(await warp.getEntry("k")).toMatchObject({ ageMs: 1_300, expiresInMs: 700, cache: "hit" });
    await bed.clock.advance(700);
    expect(warp.peek("k")).toBeUndefined();
  });

  it("CO1 cacheTtlMs bounds copies only: the data stays", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({
      registrations: statics({ "*": { mode: "local", cacheTtlMs: 100 } }),
    });
    await warp.set("k", 1);
    await bed.clock.advance(99);
    expect(warp.peek("k")).toBe(1);
    await bed.clock.advance(1);
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBe(1);
    expect(adapter.count("getMany")).toBe(1);
  });

  it("a peek that hits gives the very same object each time, and decodes once for each codec", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("k", { deep: [1] });
    const first = warp.peek<{ deep: number[] }>("k");
    expect(first).toEqual({ deep: [1] });
    expect(warp.peek("k")).toBe(first);
    expect(await warp.get("k")).toBe(first);
    expect(Object.isFrozen(first?.deep)).toBe(true);
    const payload = warp.peek("k", { codec: payloadCodec });
    expect(payload?.contentType).toBe("application/json");
    expect(warp.peek("k", { codec: payloadCodec })).toBe(payload);
    // The stored form did not push out the decoded one.
    expect(warp.peek("k")).toBe(first);
  });

  it("bytes are each reader's own, so that changing them harms nobody", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("k", Uint8Array.of(1, 2), { codec: bytesCodec });
    const mine = await warp.get("k", { codec: bytesCodec });
    mine?.fill(9);
    expect(await warp.get("k", { codec: bytesCodec })).toEqual(Uint8Array.of(1, 2));
  });

  it("a value of another codec is a decode error of that reader only", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.set("k", "text", { codec: textCodec });
    expect(await codeOf(warp.get("k"))).toBe("decode_failed");
    expect(await warp.get("k", { codec: textCodec })).toBe("text");
  });

  it("OU2 a repeated op id gives the first verdict, and the caller its own op id back", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const opId = uuidv7(bed.clock, seeded(5));
    const first = await warp.set("k", "a", { opId });
    await warp.set("k", "b");
    const again = await warp.set("k", "a", { opId });
    expect(again).toMatchObject({ opId, version: first.version, replayed: true });
    // The replay is no news: the newer value stays.
    expect(await warp.get("k")).toBe("b");
    expect(await codeOf(warp.set("k", "c", { opId }))).toBe("op_id_reused");
    expect((await warp.set("k", "other subject", { opId, subject: "else" })).replayed).toBe(false);
    expect(await codeOf(warp.set("k", 1, { opId: "nonsense" }))).toBe("invalid_op_id");
  });

  it("a failing condition is precondition_failed, and drops the copy that misled its writer", async () => {
    const bed = coreBed();
    const a = bed.node();
    const b = bed.node();
    const { version } = await a.warp.set("k", 1);
    await b.warp.set("k", 2);
    expect(await codeOf(a.warp.set("k", 3, { ifVersion: version }))).toBe("precondition_failed");
    const entry = await a.warp.getEntry("k");
    expect(entry?.value).toBe(2);
    await a.warp.set("k", 3, { ifVersion: entry?.version ?? 0 });
    expect(await codeOf(a.warp.set("k", 4, { ifVersion: 0 }))).toBe("precondition_failed");
    expect(await codeOf(a.warp.set("k", 4, { ifVersion: -1 }))).toBe("invalid_version");
    expect(await codeOf(a.warp.set("k", 4, { ifVersion: 0, when: { anyOf: "*" } }))).toBe("invalid_argument");
    // A node that never met the shard has to learn its epoch first.
    const c = bed.node();
    const now = await b.warp.lookup("k");
    expect((await c.warp.delete("k", { ifVersion: (await a.warp.lookup("k")).version })).existed).toBe(true);
    expect(now.version).toBeGreaterThan(0);
  });

  it("CO10 close ends waits and timers, is idempotent, and every call after it is warp_closed", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.set("k", 1);
    adapter.hold("getMany");
    const waiting = codeOf(warp.get("other"));
    await bed.clock.settle();
    expect(bed.clock.timers).toBe(1);
    await warp.close();
    await warp.close();
    expect(await waiting).toBe("warp_closed");
    expect(bed.clock.timers).toBe(0);
    expect(adapter.closed).toBe(true);
    for (const call of [
      warp.get("k"),
      warp.set("k", 1),
      warp.delete("k"),
      warp.lookupMany(["k"]),
      warp.setMany([["k", 1]]),
      warp.batch([{ op: "get", key: "k" }]),
      warp.getOrSet("k", () => 1),
      warp.invalidate({ keys: ["k"] }),
      warp.invalidateLocal({ keys: ["k"] }),
      warp.list(),
      warp.register("a*"),
      warp.unregister("a*"),
      warp.registrations(),
      warp.registration("a*"),
    ]) {
      expect(await codeOf(call)).toBe("warp_closed");
    }
    expect(() => warp.peek("k")).toThrow("closed");
    expect(() => warp.on("hit", () => {})).toThrow("closed");
    expect(warp.stats().cache.entries).toBe(0);
  });

  it("a shared adapter stays open", async () => {
    const { warp, adapter } = coreBed().node({ sharedAdapter: true });
    await warp.close();
    expect(adapter.closed).toBe(false);
  });

  it("refuses bad input with its own code", async () => {
    const { warp } = coreBed().node();
    const long = "x".repeat(513);
    expect(await codeOf(warp.get(""))).toBe("invalid_key");
    expect(await codeOf(warp.get(long))).toBe("invalid_key");
    expect(await codeOf(warp.set(long, 1))).toBe("invalid_key");
    expect(() => warp.peek("")).toThrow("empty");
    expect(await codeOf(warp.set("k", undefined))).toBe("encode_failed");
    expect(await codeOf(warp.set("k", 1, { expiresInMs: 0 }))).toBe("invalid_ttl");
    expect(await codeOf(warp.set("k", 1, { expiresInMs: 1.5 }))).toBe("invalid_ttl");
    expect(await codeOf(warp.get("k", { timeoutMs: 0 }))).toBe("invalid_argument");
    expect(await codeOf(warp.list({ limit: 0 }))).toBe("invalid_limit");
    expect(await codeOf(warp.invalidate({} as { prefix: string }))).toBe("invalid_argument");
    expect(await codeOf(warp.invalidate({ keys: ["a"], prefix: "b" }))).toBe("invalid_argument");
    expect(await codeOf(warp.lookupMany(Array.from({ length: 1_001 }, (_, i) => `k${i}`)))).toBe(
      "batch_too_large",
    );
    expect(() => coreBed().node({ joinTimeoutMs: 0 })).toThrow("joinTimeoutMs");
  });

  it("lists keys from the storage", async () => {
    const { warp } = coreBed().node();
    await warp.setMany([
      ["a:1", 1],
      ["a:2", 2],
      ["b:1", 3],
    ]);
    const page = await warp.list({ prefix: "a:" });
    expect(page.items.map(({ key }) => key)).toEqual(["a:1", "a:2"]);
    expect(page.asOf).toHaveLength(1);
  });
});

describe("events", () => {
  it("tell what happened; a listener that throws harms nobody and is an error event", async () => {
    const bed = coreBed();
    const { warp, errors } = bed.node();
    const seen: unknown[] = [];
    for (const event of ["hit", "miss", "set", "delete", "invalidate"] as const) {
      warp.on(event, (data) => seen.push([event, data]));
    }
    const off = warp.on("set", () => {
      throw new Error("listener");
    });
    const { version } = await warp.set("k", 1);
    await warp.get("k");
    await warp.get("absent");
    await warp.invalidate({ keys: ["k"] });
    await warp.invalidateLocal({ prefix: "k" });
    await warp.delete("k");
    off();
    await warp.set("k", 1);
    expect(seen.slice(0, 6)).toEqual([
      ["set", { key: "k", version }],
      ["hit", { key: "k" }],
      ["miss", { key: "absent" }],
      ["invalidate", { key: "k", source: "local" }],
      ["invalidate", { prefix: "k", source: "local" }],
      ["delete", { key: "k" }],
    ]);
    expect(errors.map(String)).toEqual(["Error: listener"]);
    expect(warp.stats()).toMatchObject({ hits: 1, misses: 1 });
  });

  it("an error listener that throws reaches the host's log", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    warp.on("hit", () => {
      throw new Error("first");
    });
    warp.on("error", () => {
      throw new Error("second");
    });
    await warp.set("k", 1);
    expect(await warp.get("k")).toBe(1);
    await bed.clock.settle();
    expect(bed.leaks.map(String)).toEqual(["Error: second"]);
  });
});
