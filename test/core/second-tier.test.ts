import { describe, expect, test } from "vitest";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import { WarpError } from "../../src/errors.ts";
import { type BedNode, type CoreBed, coreBed, statics } from "../support/core-bed.ts";
import { FakeKv } from "../support/fake-kv.ts";

const maxStalenessMs = 30_000;
const registrations = statics({
  "user:*": { maxStalenessMs, cacheTtlMs: 600_000, kvTtlMs: 600_000 },
  "plain:*": { maxStalenessMs },
  "here:*": { mode: "local", maxStalenessMs, cacheTtlMs: 600_000, kvTtlMs: 600_000 },
});

interface TierBed extends CoreBed {
  readonly kv: FakeKv;
  /** A node whose place sees KV's writes `lagMs` late, and that knows the shard's position. */
  follower(lagMs?: number): Promise<BedNode>;
}

function tierBed(): TierBed {
  const bed = coreBed();
  const kv = new FakeKv(bed.clock);
  return {
    ...bed,
    kv,
    async follower(lagMs = 0) {
      const node = bed.node({
        registrations,
        secondTier: kvCache(kv.place(lagMs), { space: "s", ttlMs: 86_400_000 }),
      });
      await node.warp.get("plain:first");
      return node;
    },
  };
}

const settled = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

describe("a second tier", () => {
  test("CO5 a node takes from KV what another loaded, asks the authority for nothing, and keeps it with its age", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    const other = await bed.follower();
    await one.warp.set("user:1", "v");
    await settled();
    await bed.clock.advance(10_000);
    // Its base is older than the copy: so the copy may enter L1.
    const loads = other.adapter.count("getMany");
    expect(await other.warp.getEntry("user:1")).toMatchObject({ value: "v", cache: "hit", ageMs: 10_000 });
    expect(other.adapter.count("getMany")).toBe(loads);
    expect(other.warp.stats()).toMatchObject({ hits: 1, secondTierHits: 1, secondTierErrors: 0 });
    const gets = bed.kv.counts.get;
    await bed.clock.advance(5_000);
    expect(await other.warp.getEntry("user:1")).toMatchObject({ cache: "hit", ageMs: 15_000 });
    expect(other.warp.peek("user:1")).toBe("v");
    expect(bed.kv.counts.get).toBe(gets);
    expect(bed.leaks).toEqual([]);
  });

  test("CO5 a load from the authority fills KV; a key without kvTtlMs never gets there", async () => {
    const bed = tierBed();
    await bed.node().warp.set("user:1", "v");
    await bed.node().warp.set("plain:1", "v");
    const { warp } = await bed.follower();
    await warp.getMany(["user:1", "plain:1"]);
    await settled();
    expect(bed.kv.names()).toEqual(["warp:s:copy:user:1"]);
    expect(bed.kv.counts.get).toBe(1);
    await bed.clock.advance(600_000);
    expect(bed.kv.names()).toEqual([]);
  });

  test("CO5 a KV value older than an invalidation is never served beyond maxStalenessMs, also by a fresh node", async () => {
    const bed = tierBed();
    const writer = await bed.follower();
    await writer.warp.set("user:1", "old");
    await settled();
    // Its places never hear of anything: KV has the old value for ever.
    const deaf = bed.node();
    await bed.clock.advance(1_000);
    await deaf.warp.set("user:1", "new");
    for (let ageMs = 1_000; ageMs <= 60_000; ageMs += 1_000) {
      const fresh = await bed.follower();
      const kept = bed.kv.raw("warp:s:copy:user:1");
      const got = await fresh.warp.get("user:1");
      if (ageMs > maxStalenessMs) expect(got, `${ageMs} ms after the old value was true`).toBe("new");
      await settled();
      // What it loaded goes to KV, but the old one is put back: another place lags.
      if (kept !== undefined) bed.kv.spoil("warp:s:copy:user:1", kept);
      await bed.clock.advance(1_000);
    }
    expect(bed.leaks).toEqual([]);
  });

  test("CO5 a copy from before all that the node knows is given, and does not enter L1", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    await one.warp.set("user:1", "v");
    await one.warp.set("plain:2", "later");
    await settled();
    await bed.clock.advance(1_000);
    const fresh = await bed.follower();
    expect(await fresh.warp.getEntry("user:1")).toMatchObject({ cache: "hit", ageMs: 1_000 });
    expect(fresh.warp.peek("user:1")).toBeUndefined();
    await bed.clock.advance(maxStalenessMs);
    expect(await fresh.warp.getEntry("user:1")).toMatchObject({ cache: "miss", ageMs: 0 });
  });

  test("CO5 a node that has heard nothing of the shard does not ask KV", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    await one.warp.set("user:1", "v");
    await settled();
    const cold = bed.node({ registrations, secondTier: kvCache(bed.kv.place(), { space: "s" }) });
    expect(await cold.warp.getEntry("user:1")).toMatchObject({ cache: "miss" });
    expect(bed.kv.counts.get).toBe(0);
  });

  test("CO4 own writes, deletes and invalidations are never read back older from a KV that lags", async () => {
    const bed = tierBed();
    const { warp } = await bed.follower(60_000);
    const other = bed.node();
    await warp.set("user:1", 0);
    await settled();
    await bed.clock.advance(60_000);
    for (let i = 1; i < 50; i++) {
      await warp.set("user:1", i);
      // L1 may lose its copy at any time.
      await warp.invalidate({ keys: ["user:1"] });
      expect(await warp.get("user:1")).toBe(i);
      await bed.clock.advance(100);
    }
    await warp.delete("user:1");
    expect(await warp.get("user:1")).toBeUndefined();
    await warp.set("user:1", "mine");
    await bed.clock.advance(1);
    await other.warp.set("user:1", "theirs");
    await warp.invalidate({ prefix: "user:" });
    expect(await warp.get("user:1")).toBe("theirs");
  });

  test("CO4 a node that came late does not read back from KV what was before its own write", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    await one.warp.set("user:1", "old");
    await one.warp.set("plain:2", "moves the shard on");
    await bed.clock.advance(5_000);
    const late = await bed.follower(4_000);
    await late.warp.set("user:1", "own");
    await late.warp.invalidate({ keys: ["user:1"] });
    expect(await late.warp.get("user:1")).toBe("own");
    expect(bed.kv.counts.get).toBe(1);
  });

  test("SB2 a node of another life of the shard uses no copy of the first", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    await one.warp.set("user:1", "of the old life");
    await bed.clock.advance(1_000);
    const other = bed.node({ registrations, secondTier: kvCache(bed.kv.place(), { space: "s" }) });
    other.adapter.inner = memoryAdapter({ storage: bed.newStorage() });
    await other.warp.get("plain:1");
    expect(await other.warp.get("user:1")).toBeUndefined();
    expect(bed.kv.counts.get).toBe(1);
  });

  test("CO4 a write of unknown fate and a local invalidation outdate all that KV had before", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    const other = await bed.follower();
    await one.warp.set("user:1", "old");
    await settled();
    await bed.clock.advance(1_000);
    await one.warp.set("plain:1", 1);
    await other.warp.invalidateLocal({ keys: ["user:1"] });
    expect(await other.warp.getEntry("user:1")).toMatchObject({ cache: "miss" });
    await settled();
    await bed.clock.advance(1);
    const third = await bed.follower();
    third.adapter.failing(
      "batch",
      () => new WarpError("storage_unavailable", "gone", { outcome: "unknown" }),
    );
    await third.warp.set("user:1", "perhaps").catch(() => undefined);
    await one.warp.get("plain:1");
    expect(await third.warp.getEntry("user:1")).toMatchObject({ cache: "miss" });
  });

  test("CO9 a tag that this node knows to be invalidated refutes a copy in KV", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    const other = await bed.follower();
    await one.warp.set("user:1", "v", { tags: ["t"] });
    await settled();
    await bed.clock.advance(1_000);
    await other.warp.invalidate({ tags: ["t"] });
    expect(await other.warp.getEntry("user:1")).toMatchObject({ cache: "miss" });
  });

  test("SB2 a copy of another life of the shard is not used", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    await one.warp.set("user:1", "of the old life");
    await settled();
    await bed.clock.advance(1_000);
    const other = await bed.follower();
    other.adapter.inner = memoryAdapter({ storage: bed.newStorage() });
    await bed.clock.advance(1_000);
    await other.warp.get("plain:1");
    expect(await other.warp.get("user:1")).toBeUndefined();
  });

  test("CO5 a copy whose time is ahead of the node's clock proves nothing", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    const ahead = { now: () => bed.clock.now() + 5_000 };
    const early = bed.node({
      registrations,
      clock: ahead,
      secondTier: kvCache(bed.kv.place(), { space: "s" }),
    });
    await early.warp.set("user:1", "v");
    await settled();
    expect(bed.kv.names()).toHaveLength(1);
    expect(await one.warp.getEntry("user:1")).toMatchObject({ cache: "miss" });
  });

  test("CO5 local mode follows the same age rule", async () => {
    const bed = tierBed();
    const one = await bed.follower();
    await one.warp.set("here:1", "v");
    await settled();
    await bed.clock.advance(maxStalenessMs);
    const other = await bed.follower();
    expect(await other.warp.getEntry("here:1")).toMatchObject({ cache: "hit" });
    await bed.clock.advance(1);
    const late = await bed.follower();
    expect(await late.warp.getEntry("here:1")).toMatchObject({ cache: "miss" });
  });

  test.each(["get", "put", "delete"] as const)(
    "CA5 KV whose %s fails is an error event and never the caller's",
    async (method) => {
      const bed = tierBed();
      const { warp, errors } = await bed.follower();
      bed.kv.fail(method, () => new Error("KV is gone"));
      await warp.set("user:1", "v");
      await warp.invalidate({ keys: ["user:1"] });
      expect(await warp.get("user:1")).toBe("v");
      await warp.delete("user:1");
      await settled();
      expect(errors.length).toBeGreaterThan(0);
      expect(warp.stats()).toMatchObject({ secondTierErrors: errors.length, errors: errors.length });
      expect(bed.leaks).toEqual([]);
    },
  );

  test("CO5 an early refresh asks the authority, not KV", async () => {
    const bed = coreBed();
    const kv = new FakeKv(bed.clock);
    const { warp, adapter } = bed.node({
      registrations: statics({
        "user:*": { maxStalenessMs, cacheTtlMs: 10_000, eagerRefresh: 0.5, kvTtlMs: 60_000 },
      }),
      secondTier: kvCache(kv.place(), { space: "s" }),
    });
    await warp.set("user:1", "v");
    await bed.clock.advance(6_000);
    const loads = adapter.count("getMany");
    await warp.get("user:1");
    await settled();
    expect(adapter.count("getMany")).toBe(loads + 1);
    expect(kv.counts.get).toBe(0);
  });
});
