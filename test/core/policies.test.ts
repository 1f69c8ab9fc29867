import { describe, expect, it } from "vitest";
import type { RegistrationOptions } from "../../src/core/types.ts";
import { WarpError } from "../../src/errors.ts";
import { standalone } from "../../src/presets/standalone.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const down = () => new WarpError("storage_unavailable", "down");

/** A node that holds `k` = "old" under a policy, and another way to the same storage. */
async function holding(policy: RegistrationOptions) {
  const bed = coreBed();
  const node = bed.node({ registrations: statics({ "*": { mode: "local", ...policy } }) });
  const other = bed.node({ registrations: statics({ "*": { mode: "local" } }) });
  await other.warp.set("k", "old");
  expect(await node.warp.get("k")).toBe("old");
  return { bed, clock: bed.clock, other: other.warp, ...node };
}

function withoutStorage(policy: RegistrationOptions) {
  const clock = virtualClock();
  const leaks: unknown[] = [];
  const warp = standalone({
    storage: false,
    host: {
      clock,
      timers: clock,
      random: seeded(1),
      background: { run: (work) => void work.catch((error: unknown) => leaks.push(error)) },
    },
    registrations: statics({ "*": policy }),
  });
  return { clock, warp, leaks };
}

describe("fail-safe", () => {
  const policy = { cacheTtlMs: 50, graceMs: 3_600_000 };

  it("FS-01 CO6 a failing storage: the copy in its grace is given, marked stale and counted apart from hits", async () => {
    const { warp, adapter, clock } = await holding(policy);
    adapter.failing("getMany", down);
    const told: string[] = [];
    warp.on("stale", ({ key }) => told.push(key));
    await clock.advance(100);
    const before = warp.stats();
    expect(await warp.getEntry("k")).toMatchObject({ value: "old", stale: true, cache: "stale", ageMs: 100 });
    const after = warp.stats();
    expect([after.stale - before.stale, after.hits - before.hits, after.misses - before.misses]).toEqual([
      1, 0, 0,
    ]);
    expect(told).toEqual(["k"]);
    expect(warp.peek("k")).toBeUndefined();
  });

  it("FS-02 when the storage works again, the next read gives the new value", async () => {
    const { warp, adapter, clock, other } = await holding(policy);
    adapter.failing("getMany", down);
    await clock.advance(100);
    expect(await warp.get("k")).toBe("old");
    await other.set("k", "new");
    adapter.failing("getMany", undefined);
    await clock.advance(10_000);
    expect(await warp.getEntry("k")).toMatchObject({ value: "new", stale: false, cache: "miss" });
  });

  it("FS-03 after TTL and grace the storage's error is the reader's", async () => {
    const { warp, adapter, clock } = await holding({ cacheTtlMs: 50, graceMs: 100 });
    adapter.failing("getMany", down);
    await clock.advance(149);
    expect(await warp.get("k")).toBe("old");
    await clock.advance(1);
    expect(await codeOf(warp.get("k"))).toBe("storage_unavailable");
  });

  it("FS-04 a key that is gone from the storage is not found, stale copy or not", async () => {
    const { warp, clock, other } = await holding(policy);
    await other.delete("k");
    await clock.advance(100);
    expect(await warp.get("k")).toBeUndefined();
  });

  it("CO5 without a grace a failing storage fails the read", async () => {
    const { warp, adapter, clock } = await holding({ cacheTtlMs: 50 });
    adapter.failing("getMany", down);
    await clock.advance(100);
    expect(await codeOf(warp.get("k"))).toBe("storage_unavailable");
  });

  it("CO5 SB3 a copy that the log invalidated is gone for the fail-safe, too", async () => {
    const bed = coreBed();
    const mode = { mode: "eventual", maxStalenessMs: 10 } as const;
    const { warp, adapter } = bed.node({
      registrations: statics({ "*": { ...mode, ...policy }, probe: mode }),
    });
    const other = bed.node().warp;
    await other.setMany([
      ["k", "old"],
      ["kept", "old"],
      ["probe", "1"],
    ]);
    await warp.getMany(["k", "kept", "probe"]);
    await other.set("k", "new");
    await bed.clock.advance(60);
    // This read catches up with the log.
    expect(await warp.getEntry("probe")).toMatchObject({ cache: "hit" });
    adapter.failing("getMany", down);
    expect(await warp.getEntry("kept")).toMatchObject({ value: "old", stale: true });
    expect(await codeOf(warp.get("k"))).toBe("storage_unavailable");
    expect(await codeOf(warp.get("k", { allowStale: true }))).toBe("storage_unavailable");
  });

  it("SB3 an eventual copy that can't be proven fresh is given only marked stale, and only with a grace", async () => {
    const { warp, adapter, clock } = await holding({ mode: "eventual", maxStalenessMs: 100, graceMs: 1_000 });
    adapter.failing("getMany", down);
    adapter.failing("changes", down);
    await clock.advance(101);
    expect(await warp.getEntry("k")).toMatchObject({ value: "old", stale: true });
    expect(warp.peek("k")).toBeUndefined();
  });

  it("CO5 100 readers of a failing storage cause one load per hold interval; each gets the stale copy", async () => {
    const { warp, adapter, clock } = await holding(policy);
    adapter.failing("getMany", down);
    await clock.advance(100);
    const before = adapter.count("getMany");
    const together = await Promise.all(Array.from({ length: 100 }, () => warp.get("k")));
    for (let i = 0; i < 100; i++) together.push(await warp.get("k"));
    expect(new Set(together)).toEqual(new Set(["old"]));
    expect(adapter.count("getMany") - before).toBe(1);
    await clock.advance(50);
    await Promise.all(Array.from({ length: 100 }, () => warp.get("k")));
    expect(adapter.count("getMany") - before).toBe(2);
  });

  it("GS-04 getOrSet with a stale copy and a failing source gives the stale copy, and holds the source's error", async () => {
    const { warp, clock, leaks } = withoutStorage(policy);
    let runs = 0;
    const failing = () => {
      runs++;
      return Promise.reject(new Error("boom"));
    };
    expect(await warp.getOrSet("k", () => "old")).toBe("old");
    await clock.advance(100);
    for (let i = 0; i < 10; i++) expect(await warp.getOrSet<unknown>("k", failing)).toBe("old");
    expect(runs).toBe(1);
    await clock.advance(50);
    expect(await warp.getOrSet("k", () => "new")).toBe("new");
    expect(await warp.get("k")).toBe("new");
    await clock.advance(4_000_000);
    expect(await codeOf(warp.getOrSet<unknown>("k", failing))).toBe("Error: boom");
    expect(leaks).toEqual([]);
  });
});

describe("time-outs of loads", () => {
  it("ST-01 a slow storage: the stale copy comes at the soft time-out, and the load goes on behind", async () => {
    const { warp, adapter, clock, other, leaks } = {
      leaks: [],
      ...(await holding({ cacheTtlMs: 1_000, graceMs: 10_000, softTimeoutMs: 50 })),
    };
    await other.set("k", "new");
    await clock.advance(1_000);
    adapter.hold("getMany");
    let answered: unknown;
    void warp.getEntry("k").then((entry) => {
      answered = entry;
    });
    await clock.advance(49);
    expect(answered).toBeUndefined();
    await clock.advance(1);
    expect(answered).toMatchObject({ value: "old", stale: true });
    await clock.advance(150);
    await adapter.take("getMany").answer();
    await clock.settle();
    expect(warp.peek("k")).toBe("new");
    expect(await warp.getEntry("k")).toMatchObject({ value: "new", stale: false, cache: "hit" });
    expect(leaks).toEqual([]);
  });

  it("CO5 100 readers of a slow storage cause one load", async () => {
    const { warp, adapter, clock } = await holding({ cacheTtlMs: 100, graceMs: 10_000, softTimeoutMs: 50 });
    await clock.advance(100);
    adapter.hold("getMany");
    const reads = Array.from({ length: 100 }, () => warp.get("k"));
    await clock.advance(50);
    expect(new Set(await Promise.all(reads))).toEqual(new Set(["old"]));
    expect(adapter.held).toHaveLength(1);
  });

  it("CO5 a load beyond the hard time-out counts as failed: an error, or the stale copy where there is one", async () => {
    const { warp, adapter, clock, leaks } = {
      ...(await holding({ cacheTtlMs: 100, graceMs: 10_000, hardTimeoutMs: 80 })),
      leaks: [],
    };
    await clock.advance(100);
    adapter.hold("getMany");
    const [stale, missing] = [warp.getEntry("k"), codeOf(warp.get("absent"))];
    await clock.advance(80);
    expect(await stale).toMatchObject({ value: "old", stale: true });
    expect(await missing).toBe("storage_timeout");
    adapter.release("getMany");
    for (const call of adapter.held.splice(0)) await call.answer();
    await clock.settle();
    expect(warp.peek("k")).toBe("old");
    expect(leaks).toEqual([]);
  });

  it("CO5 a source beyond the time-outs: the stale copy softly, deadline_exceeded hard", async () => {
    const { warp, clock, leaks } = withoutStorage({
      cacheTtlMs: 100,
      graceMs: 1_000,
      softTimeoutMs: 20,
      hardTimeoutMs: 60,
    });
    await warp.set("k", "old");
    await clock.advance(100);
    const slow = (value: string) => () =>
      new Promise<string>((resolve) => void clock.after(200, () => resolve(value)));
    const soft = warp.getOrSet("k", slow("new"));
    const hard = codeOf(warp.getOrSet("cold", slow("cold")));
    await clock.advance(20);
    expect(await soft).toBe("old");
    await clock.advance(40);
    expect(await hard).toBe("deadline_exceeded");
    await clock.advance(200);
    expect(warp.peek("k")).toBe("new");
    expect(leaks).toEqual([]);
  });
});

describe("early refresh", () => {
  it("ER-01 with less than the threshold left the old value comes at once, and one load behind brings the new one", async () => {
    const { warp, adapter, clock, other } = await holding({ cacheTtlMs: 200, eagerRefresh: 0.5 });
    await other.set("k", "new");
    await clock.advance(101);
    const before = adapter.count("getMany");
    adapter.hold("getMany");
    expect(warp.peek("k")).toBe("old");
    expect(await warp.getEntry("k")).toMatchObject({ value: "old", cache: "hit", stale: false });
    for (let i = 0; i < 20; i++) expect(await warp.get("k")).toBe("old");
    expect(adapter.count("getMany") - before).toBe(1);
    await adapter.take("getMany").answer();
    await clock.settle();
    expect(await warp.get("k")).toBe("new");
    expect(adapter.count("getMany") - before).toBe(1);
    expect(warp.stats().refreshes).toBe(1);
  });

  it("ER-02 early reads cause no load, one in the last fifth does", async () => {
    const { warp, adapter, clock } = await holding({ cacheTtlMs: 200, eagerRefresh: 0.2 });
    const before = adapter.count("getMany");
    await clock.advance(160);
    await warp.get("k");
    await clock.settle();
    expect(adapter.count("getMany") - before).toBe(0);
    await clock.advance(1);
    await warp.get("k");
    await clock.settle();
    expect(adapter.count("getMany") - before).toBe(1);
  });

  it("ER-03 without a storage it does nothing and does not fail", async () => {
    const { warp, clock, leaks } = withoutStorage({ cacheTtlMs: 200, eagerRefresh: 0.5 });
    await warp.set("k", 1);
    await clock.advance(150);
    expect(await warp.get("k")).toBe(1);
    await clock.settle();
    expect([leaks, warp.stats().refreshes]).toEqual([[], 0]);
  });

  it("CO5 an early refresh that fails costs nobody anything, and is not tried again for each reader", async () => {
    const { warp, adapter, clock } = await holding({ cacheTtlMs: 200, eagerRefresh: 0.5 });
    adapter.failing("getMany", down);
    await clock.advance(150);
    const before = adapter.count("getMany");
    for (let i = 0; i < 20; i++) {
      expect(await warp.get("k")).toBe("old");
      await clock.settle();
    }
    expect(adapter.count("getMany") - before).toBe(1);
  });
});

describe("allowStale", () => {
  it("CO5 CO6 of the registration: the copy in its grace at once, marked, and one refresh behind", async () => {
    const { warp, adapter, clock, other } = await holding({
      cacheTtlMs: 100,
      graceMs: 1_000,
      allowStale: true,
    });
    await other.set("k", "new");
    await clock.advance(100);
    adapter.hold("getMany");
    const reads = await Promise.all(Array.from({ length: 10 }, () => warp.getEntry("k")));
    for (const read of reads) expect(read).toMatchObject({ value: "old", stale: true });
    expect(adapter.held).toHaveLength(1);
    await adapter.take("getMany").answer();
    await clock.settle();
    expect(await warp.getEntry("k")).toMatchObject({ value: "new", stale: false });
  });

  it("ST4 of one call: only that call is given the copy that is not proven fresh; a strong key has none to give", async () => {
    const { warp, adapter, clock } = await holding({
      mode: "eventual",
      maxStalenessMs: 100,
      cacheTtlMs: 10_000,
    });
    await clock.advance(200);
    adapter.hold("changes", "getMany");
    expect(await warp.lookup("k", { allowStale: true })).toMatchObject({ value: "old", stale: true });
    adapter.release("changes", "getMany");
    for (const call of adapter.held.splice(0)) await call.answer();
    await clock.advance(200);
    expect(await warp.lookup("k")).toMatchObject({ value: "old", stale: false });
    const strong = await holding({ mode: "strong" });
    expect(await strong.warp.lookup("k", { allowStale: true })).toMatchObject({
      stale: false,
      cache: "bypass",
    });
  });

  it("CO5 of many keys: each by its own policy, in as few loads as there are policies", async () => {
    const bed = coreBed();
    const node = bed.node({
      registrations: statics({
        "s:*": { mode: "local", cacheTtlMs: 50, graceMs: 1_000 },
        "p:*": { mode: "local", cacheTtlMs: 50 },
      }),
    });
    const keys = ["s:1", "s:2", "p:1", "p:2"];
    await node.warp.set("warm", 1);
    await node.warp.setMany(
      keys.map((key) => [key, key] as const),
      { fill: true },
    );
    await bed.clock.advance(100);
    node.adapter.failing("getMany", down);
    const before = node.adapter.count("getMany");
    expect([...(await node.warp.lookupMany(["s:1", "s:2"])).values()].map((one) => one.cache)).toEqual([
      "stale",
      "stale",
    ]);
    expect(node.adapter.count("getMany") - before).toBe(1);
    expect(await codeOf(node.warp.getMany(keys))).toBe("storage_unavailable");
  });
});

describe("lives of copies", () => {
  it("CO5 a sliding copy lives on with each hit, up to its longest life", async () => {
    const { warp, clock } = await holding({ cacheTtlMs: 100, sliding: true, maxLifeMs: 350 });
    for (let ms = 0; ms < 320; ms += 80) {
      expect(warp.peek("k")).toBe("old");
      await clock.advance(80);
    }
    expect(warp.peek("k")).toBe("old");
    await clock.advance(30);
    expect(warp.peek("k")).toBeUndefined();
    const idle = await holding({ cacheTtlMs: 100, sliding: true, maxLifeMs: 350 });
    await idle.clock.advance(100);
    expect(idle.warp.peek("k")).toBeUndefined();
  });

  it("CORE-02 a sliding key with a frequency TTL takes 32 writers and 32 readers, 64 rounds each, without an error", async () => {
    const bed = coreBed();
    const frequency = { withinMs: 10, incrementMs: 50, decrementMs: 50, minTtlMs: 10, maxTtlMs: 1_000 };
    const { warp, errors } = bed.node({
      registrations: statics({
        "*": { mode: "local", cacheTtlMs: 100, sliding: true, maxLifeMs: 1_000, frequency },
      }),
    });
    const writer = async (n: number) => {
      for (let i = 0; i < 64; i++) await warp.set("k", n * 64 + i);
    };
    const reader = async () => {
      for (let i = 0; i < 64; i++) await warp.get("k");
    };
    const work = Array.from({ length: 32 }, (_, n) => [writer(n), reader()]).flat();
    for (let i = 0; i < 20; i++) await bed.clock.advance(17);
    await Promise.all(work);
    expect([errors, bed.leaks]).toEqual([[], []]);
  });

  it("CA-09 CORE-15 a frequency TTL grows with quick re-access and shrinks with slow, within its bounds", async () => {
    const frequency = {
      withinMs: 100,
      incrementMs: 1_000,
      decrementMs: 400,
      minTtlMs: 1_500,
      maxTtlMs: 3_500,
    };
    const { warp, clock } = await holding({ cacheTtlMs: 2_000, frequency });
    // Loaded by one access: 2,000. One more, quickly: 3,000; then 3,500 at most.
    expect(warp.peek("k")).toBe("old");
    expect(warp.peek("k")).toBe("old");
    expect(warp.stats().ttlAdjustments).toBe(2);
    // Slow: 3,100, 2,700, 2,300: gone when 2,400 ms old, and no read is needed to see the copy of before live long enough.
    for (const [ms, value] of [
      [800, "old"],
      [800, "old"],
      [800, undefined],
    ] as const) {
      await clock.advance(ms);
      expect(warp.peek("k")).toBe(value);
    }
  });

  it("CA-13 a sliding window: cold, hot from the threshold on, and cold again after the window", async () => {
    const bed = coreBed();
    const adaptive = { kind: "window", windowMs: 50, threshold: 2, coldTtlMs: 20, hotTtlMs: 1_000 } as const;
    const { warp } = bed.node({ registrations: statics({ "*": { mode: "local", adaptive } }) });
    const figures = () => {
      const { ttlAdjustments, hotKeys } = warp.stats();
      return [ttlAdjustments, hotKeys];
    };
    await warp.set("k", 1);
    expect(figures()).toEqual([1, 0]);
    warp.peek("k");
    warp.peek("k");
    expect(figures()).toEqual([2, 1]);
    await bed.clock.advance(40);
    expect(warp.peek("k")).toBe(1);
    await bed.clock.advance(60);
    expect(warp.peek("k")).toBeUndefined();
    expect(figures()).toEqual([3, 0]);
  });

  it("CO5 a multiplicative TTL grows with each load that was wanted, and shrinks after idleness", async () => {
    const adaptive = { kind: "multiplicative", factor: 2, minTtlMs: 50, maxTtlMs: 400 } as const;
    const { warp, adapter, clock } = await holding({ cacheTtlMs: 100, adaptive });
    const lives: number[] = [];
    for (let loads = adapter.count("getMany"), since = clock.now(); lives.length < 4; ) {
      await clock.advance(5);
      await warp.get("k");
      if (adapter.count("getMany") === loads) continue;
      loads = adapter.count("getMany");
      lives.push(clock.now() - since);
      since = clock.now();
    }
    expect(lives).toEqual([100, 200, 400, 400]);
    await clock.advance(1_000);
    await warp.get("k");
    await clock.advance(199);
    expect(warp.peek("k")).toBe("old");
    await clock.advance(1);
    expect(warp.peek("k")).toBeUndefined();
  });

  it("CO5 jitter shortens lives by its share at most, each by another part of it", async () => {
    const bed = coreBed();
    const { warp } = bed.node({
      registrations: statics({ "*": { mode: "local", cacheTtlMs: 1_000, jitter: 0.5 } }),
    });
    for (let i = 0; i < 100; i++) await warp.set(`k${i}`, i);
    const live = () =>
      Array.from({ length: 100 }, (_, i) => warp.peek(`k${i}`)).filter((v) => v !== undefined).length;
    await bed.clock.advance(499);
    expect(live()).toBe(100);
    await bed.clock.advance(251);
    expect(live()).toBeGreaterThan(25);
    expect(live()).toBeLessThan(75);
    await bed.clock.advance(250);
    expect(live()).toBe(0);
  });

  it("CO5 that a key is not there is kept for negativeTtlMs, and forgotten when it is written", async () => {
    const bed = coreBed();
    const registrations = statics({ "*": { mode: "eventual", maxStalenessMs: 50, negativeTtlMs: 1_000 } });
    const { warp, adapter } = bed.node({ registrations });
    const other = bed.node().warp;
    await other.set("warm", 1);
    await warp.get("k");
    const before = adapter.count("getMany");
    expect(await warp.lookup("k")).toMatchObject({ version: 0, cache: "hit" });
    expect(adapter.count("getMany")).toBe(before);
    await warp.set("k", 1);
    expect(await warp.get("k")).toBe(1);
    await warp.get("l");
    await other.set("l", 2);
    await bed.clock.advance(51);
    expect(await warp.get("l")).toBe(2);
    await warp.get("m");
    await warp.invalidateLocal({ keys: ["m"] });
    const again = adapter.count("getMany");
    await warp.get("m");
    expect(adapter.count("getMany")).toBe(again + 1);
  });

  it("CO5 negative answers end with their TTL", async () => {
    const { warp, adapter, clock } = await holding({ negativeTtlMs: 100 });
    await warp.get("absent");
    const before = adapter.count("getMany");
    await clock.advance(99);
    await warp.get("absent");
    expect(adapter.count("getMany")).toBe(before);
    await clock.advance(1);
    await warp.get("absent");
    expect(adapter.count("getMany")).toBe(before + 1);
  });
});
