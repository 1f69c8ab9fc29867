import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";

const modes = statics({ "local:*": { mode: "local" }, "strong:*": { mode: "strong" } });

describe("single flight", () => {
  it("CORE-20 ten reads of a cold key ask the storage once", async () => {
    const bed = coreBed();
    await bed.node().warp.set("k", 1);
    const { warp, adapter } = bed.node();
    const values = await Promise.all(Array.from({ length: 10 }, () => warp.get("k")));
    expect(values).toEqual(Array(10).fill(1));
    expect(adapter.count("getMany")).toBe(1);
    expect(warp.stats()).toMatchObject({ loads: 1, joins: 9 });
  });

  it("CO2 a failing load is one error for all who wait", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.get("warm");
    adapter.hold("getMany");
    const waiters = Array.from({ length: 100 }, () => warp.get("k"));
    await bed.clock.settle();
    const boom = new Error("boom");
    adapter.take("getMany").fail(boom);
    for (const result of await Promise.allSettled(waiters)) expect(result).toMatchObject({ reason: boom });
    expect(adapter.held).toEqual([]);
  });

  it("CO2 100 reads one after the other don't repeat a failing load: its error is held for a short, doubling time", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.get("warm");
    const before = adapter.count("getMany");
    adapter.failing("getMany", () => new WarpError("storage_unavailable", "down"));
    for (let i = 0; i < 100; i++) expect(await codeOf(warp.get("k"))).toBe("storage_unavailable");
    expect(adapter.count("getMany") - before).toBe(1);
    // Held 50, 100, 200 … up to 5,000 ms.
    const asks: number[] = [];
    const start = bed.clock.now();
    for (let ms = 0; ms < 20_000; ms += 10) {
      const asked = adapter.count("getMany");
      await codeOf(warp.get("k"));
      if (adapter.count("getMany") > asked) asks.push(bed.clock.now() - start);
      await bed.clock.advance(10);
    }
    expect(asks).toEqual([50, 150, 350, 750, 1_550, 3_150, 6_350, 11_350, 16_350]);
    adapter.failing("getMany", undefined);
    await bed.clock.advance(5_000);
    expect(await warp.get("k")).toBeUndefined();
  });

  it("a refusal that is no trouble of the storage is not held", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.get("warm");
    adapter.failing("getMany", () => new WarpError("space_not_found", "not there"));
    expect(await codeOf(warp.get("k"))).toBe("space_not_found");
    adapter.failing("getMany", undefined);
    expect(await codeOf(warp.get("k"))).toBe("no error");
  });

  it("an own write ends the holding of an error", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node();
    await warp.get("warm");
    adapter.failing("getMany", () => new Error("down"));
    await codeOf(warp.get("k"));
    adapter.failing("getMany", undefined);
    await warp.delete("k");
    expect(await codeOf(warp.get("k"))).toBe("no error");
  });

  it("one waiter's abort or deadline is its own: the load goes on for the others", async () => {
    const bed = coreBed();
    await bed.node().warp.set("k", 1);
    const { warp, adapter } = bed.node();
    await warp.get("warm");
    adapter.hold("getMany");
    const abort = new AbortController();
    const first = codeOf(warp.get("k", { signal: abort.signal }));
    const hasty = codeOf(warp.get("k", { timeoutMs: 50 }));
    const patient = warp.get("k");
    await bed.clock.settle();
    abort.abort(new Error("changed my mind"));
    expect(await first).toBe("aborted");
    await bed.clock.advance(50);
    expect(await hasty).toBe("deadline_exceeded");
    const [call] = adapter.held;
    // The load runs on no caller's signal.
    expect(call?.args[1]).not.toHaveProperty("signal");
    await adapter.take("getMany").answer();
    expect(await patient).toBe(1);
    expect(await codeOf(warp.get("k", { signal: abort.signal }))).toBe("aborted");
  });

  it("a load that never ends is waited for no longer than joinTimeoutMs: then the waiter loads by itself", async () => {
    const bed = coreBed();
    await bed.node().warp.set("k", 1);
    const { warp, adapter } = bed.node({ joinTimeoutMs: 1_000 });
    await warp.get("warm");
    adapter.hold("getMany");
    const lost = codeOf(warp.get("k"));
    await bed.clock.advance(10);
    const joined = warp.get("k");
    await bed.clock.settle();
    adapter.take("getMany");
    adapter.release("getMany");
    await bed.clock.advance(1_000);
    expect(await joined).toBe(1);
    await bed.clock.advance(10_000);
    expect(await lost).toBe("deadline_exceeded");
    expect(bed.clock.timers).toBe(0);
  });

  it("nobody joins a load that is older than joinTimeoutMs", async () => {
    const bed = coreBed();
    await bed.node().warp.set("k", 1);
    const { warp, adapter } = bed.node({ joinTimeoutMs: 1_000 });
    await warp.get("warm");
    adapter.hold("getMany");
    const lost = codeOf(warp.get("k", { timeoutMs: 1_000 }));
    await bed.clock.advance(1_000);
    expect(await lost).toBe("deadline_exceeded");
    adapter.release("getMany");
    expect(await warp.get("k", { timeoutMs: 1 })).toBe(1);
  });

  it("a reader joins no load that was sent before its staleness bound, but shares the one next", async () => {
    const bed = coreBed();
    const writer = bed.node();
    await writer.warp.set("k", "old");
    const { warp, adapter } = bed.node({
      joinTimeoutMs: 60_000,
      registrations: statics({ "*": { maxStalenessMs: 100 } }),
    });
    await warp.get("warm");
    adapter.hold("getMany");
    const early = warp.get("k");
    await bed.clock.settle();
    await adapter.held[0]?.act();
    await writer.warp.set("k", "new");
    await bed.clock.advance(100);
    const withinBound = warp.get("k");
    await bed.clock.advance(1);
    const late = [warp.get("k"), warp.get("k"), warp.get("k")];
    await bed.clock.settle();
    expect(adapter.held).toHaveLength(1);
    adapter.release("getMany");
    await adapter.take("getMany").answer();
    expect([await early, await withinBound]).toEqual(["old", "old"]);
    expect(await Promise.all(late)).toEqual(["new", "new", "new"]);
    expect(adapter.count("getMany")).toBe(3);
  });

  it("a strong reader never joins a running load; all who wait share the next", async () => {
    const bed = coreBed();
    await bed.node().warp.set("strong:k", 1);
    const { warp, adapter } = bed.node({ registrations: modes });
    await warp.get("warm");
    adapter.hold("getMany");
    const reads = [warp.get("strong:k"), warp.get("strong:k"), warp.get("strong:k")];
    await bed.clock.settle();
    expect(adapter.held).toHaveLength(1);
    await adapter.take("getMany").answer();
    await bed.clock.settle();
    expect(adapter.held).toHaveLength(1);
    await adapter.take("getMany").answer();
    expect(await Promise.all(reads)).toEqual([1, 1, 1]);
    expect(adapter.held).toEqual([]);
    expect(warp.peek("strong:k")).toBeUndefined();
    expect(warp.stats().cache.entries).toBe(0);
  });

  it("many keys: those on their way are joined, the others asked for in one call", async () => {
    const bed = coreBed();
    await bed.node().warp.setMany([
      ["local:1", 1],
      ["local:2", 2],
      ["local:3", 3],
    ]);
    const { warp, adapter } = bed.node({ registrations: modes });
    await warp.get("warm");
    await warp.get("local:1");
    adapter.hold("getMany");
    const one = warp.get("local:2");
    await bed.clock.settle();
    const many = warp.getMany(["local:1", "local:2", "local:3", "local:2", "absent"]);
    await bed.clock.settle();
    expect(adapter.held.map(({ args }) => args[0])).toEqual([["local:2"], ["local:3", "absent"]]);
    await adapter.take("getMany").answer();
    await adapter.take("getMany").answer();
    expect([...(await many)]).toEqual([
      ["local:1", 1],
      ["local:2", 2],
      ["local:3", 3],
    ]);
    expect(await one).toBe(2);
  });
});

describe("getOrSet", () => {
  it("GS-01 a hit never runs the loader", async () => {
    const { warp } = coreBed().node();
    await warp.set("k", "here");
    expect(await warp.getOrSet("k", () => expect.unreachable())).toBe("here");
    await warp.invalidateLocal({ keys: ["k"] });
    expect(await warp.getOrSet("k", () => expect.unreachable())).toBe("here");
  });

  it("GS-02 on a cold key the loader's value is given, stored and cached", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    expect(await warp.getOrSet("k", async () => ({ n: 1 }), { expiresInMs: 1_000 })).toEqual({ n: 1 });
    expect(warp.peek("k")).toEqual({ n: 1 });
    expect((await bed.node().warp.getEntry("k"))?.expiresInMs).toBe(1_000);
  });

  it("GS-03 overlapping calls run one loader and share what it gives", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    let runs = 0;
    let open: (value: string) => void = () => {};
    const source = (): Promise<string> => {
      runs++;
      return new Promise((resolve) => {
        open = resolve;
      });
    };
    const calls = Array.from({ length: 10 }, () => warp.getOrSet("k", source));
    await bed.clock.settle();
    open("value");
    expect(await Promise.all(calls)).toEqual(Array(10).fill("value"));
    expect(runs).toBe(1);
  });

  it("GS-05 CO2 a failing loader's very error is each caller's, and held before it runs again", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    const boom = new Error("boom");
    let runs = 0;
    const failing = async (): Promise<number> => {
      runs++;
      throw boom;
    };
    const round = async (): Promise<void> => {
      const calls = Array.from({ length: 100 }, () => warp.getOrSet("k", failing));
      for (const result of await Promise.allSettled(calls)) expect(result).toMatchObject({ reason: boom });
    };
    await round();
    await bed.clock.advance(49);
    await round();
    expect(runs).toBe(1);
    await bed.clock.advance(1);
    await round();
    expect(runs).toBe(2);
    await bed.clock.advance(100);
    expect(await warp.getOrSet("k", () => 1)).toBe(1);
  });

  it("getOrSet is a first write: it makes the space", async () => {
    const { warp, adapter } = coreBed().node();
    adapter.failing("getMany", () => new WarpError("space_not_found", "not there"));
    expect(await warp.getOrSet("k", () => 1)).toBe(1);
    expect(adapter.count("batch")).toBe(1);
  });

  it("GS-06 an unregistered key follows the default registration and is readable by plain get", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    await warp.getOrSet("fresh", () => 7);
    expect(await warp.get("fresh")).toBe(7);
    expect((await warp.lookup("fresh")).cache).toBe("hit");
    await bed.clock.advance(299_999);
    await warp.get("fresh");
    await bed.clock.advance(1);
    expect((await warp.lookup("fresh")).cache).toBe("miss");
  });

  it("a write that comes while the loader runs wins, from whatever node", async () => {
    const bed = coreBed();
    const a = bed.node();
    const b = bed.node();
    for (const [key, writer] of [
      ["own", a],
      ["foreign", b],
    ] as const) {
      let open: (value: string) => void = () => {};
      const value = a.warp.getOrSet(key, () => new Promise<string>((resolve) => (open = resolve)));
      await bed.clock.settle();
      await writer.warp.set(key, "written");
      open("loaded");
      await value;
      expect(await a.warp.get(key)).toBe("written");
      expect(await b.warp.get(key)).toBe("written");
    }
  });

  it("what a loader gives after the key was invalidated or deleted is given, but not kept", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    for (const end of [
      () => warp.invalidate({ keys: ["k"] }),
      () => warp.delete("k"),
      () => warp.invalidate({ prefix: "" }),
    ]) {
      let open: (value: string) => void = () => {};
      const value = warp.getOrSet("k", () => new Promise<string>((resolve) => (open = resolve)));
      await bed.clock.settle();
      await end();
      // Who comes after it does not get what was loaded before it.
      const later = warp.getOrSet("k", () => "new");
      await bed.clock.settle();
      open("old");
      expect(await value).toBe("old");
      expect(await later).toBe("new");
      expect(await warp.get("k")).toBe("new");
      await warp.delete("k");
    }
  });

  it("undefined from a loader is given on and not stored; a value that can't be encoded is the caller's error", async () => {
    const { warp } = coreBed().node();
    expect(await warp.getOrSet("k", async () => undefined)).toBeUndefined();
    expect((await warp.lookup("k")).version).toBe(0);
    expect(await codeOf(warp.getOrSet("k", () => 10n))).toBe("encode_failed");
  });

  it("a caller's deadline ends its wait, not the run: the value is stored for the next", async () => {
    const bed = coreBed();
    const { warp } = bed.node();
    let open: (value: string) => void = () => {};
    const value = codeOf(
      warp.getOrSet("k", () => new Promise<string>((resolve) => (open = resolve)), { timeoutMs: 100 }),
    );
    await bed.clock.advance(100);
    expect(await value).toBe("deadline_exceeded");
    open("late");
    await bed.clock.settle();
    expect(await warp.get("k")).toBe("late");
  });
});
