import { describe, expect, it } from "vitest";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import type { WarpEvents } from "../../src/core/types.ts";
import { WarpError } from "../../src/errors.ts";
import { coreBed, statics } from "../support/core-bed.ts";

const eventual = (maxStalenessMs: number) => ({ registrations: statics({ "*": { maxStalenessMs } }) });

describe("SB3 freshness counts from the send time of the last exchange that proved the node's position", () => {
  it("SB3 a copy older than the bound is served only after the log was caught up with, once for all keys", async () => {
    const bed = coreBed();
    const writer = bed.node();
    await writer.warp.setMany(Array.from({ length: 20 }, (_, i) => [`k${i}`, "old"] as const));
    const { warp, adapter } = bed.node(eventual(1_000));
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    await warp.getMany(keys);
    await writer.warp.set("k3", "new");
    await writer.warp.delete("k4");
    await bed.clock.advance(1_001);
    const loads = adapter.count("getMany");
    const values = await Promise.all(keys.map((key) => warp.get(key)));
    expect(values).toEqual(keys.map((key) => (key === "k3" ? "new" : key === "k4" ? undefined : "old")));
    expect(adapter.count("changes")).toBe(1);
    expect(adapter.count("getMany") - loads).toBe(2);
  });

  it("SB3 past half the bound one exchange runs in the background, and the copy is served meanwhile", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.set("k", 1);
    await bed.clock.advance(500);
    warp.peek("k");
    await bed.clock.settle();
    expect(adapter.count("changes")).toBe(0);
    adapter.hold("changes");
    await bed.clock.advance(1);
    for (let i = 0; i < 5; i++) expect(warp.peek("k")).toBe(1);
    expect(await warp.get("k")).toBe(1);
    expect(adapter.count("changes")).toBe(1);
    await adapter.take("changes").answer();
    await bed.clock.advance(499);
    expect(warp.peek("k")).toBe(1);
    expect(adapter.count("changes")).toBe(1);
  });

  it("SB3 an exchange proves the position as of its sending, not of its answer", async () => {
    const bed = coreBed();
    const writer = bed.node();
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.set("k", "old");
    await bed.clock.advance(900);
    adapter.hold("changes");
    expect(await warp.get("k")).toBe("old");
    const exchange = adapter.take("changes");
    await exchange.act();
    await writer.warp.set("k", "new");
    await bed.clock.advance(900);
    await exchange.answer();
    await bed.clock.settle();
    // Sent at 900, so it proves nothing past 1,900.
    expect(warp.peek("k")).toBe("old");
    await bed.clock.advance(101);
    expect(warp.peek("k")).toBeUndefined();
    // The peek before has sent the next one, late enough for this reader.
    const reading = warp.get("k");
    await bed.clock.settle();
    await adapter.take("changes").answer();
    expect(await reading).toBe("new");
  });

  it("SB3 a reader joins no exchange that was sent before its bound", async () => {
    const bed = coreBed();
    const writer = bed.node();
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.set("k", "old");
    await bed.clock.advance(600);
    adapter.hold("changes");
    warp.peek("k");
    await bed.clock.settle();
    const first = adapter.take("changes");
    await first.act();
    await writer.warp.set("k", "new");
    await bed.clock.advance(1_001);
    const reading = warp.get("k");
    await bed.clock.settle();
    await first.answer();
    await bed.clock.settle();
    const second = adapter.take("changes");
    adapter.release("changes");
    await second.answer();
    expect(await reading).toBe("new");
  });

  it("SB3 an exchange that fails means the authority is asked for that key, and an error event", async () => {
    const bed = coreBed();
    const { warp, adapter, errors } = bed.node(eventual(1_000));
    await warp.set("k", 1);
    await bed.clock.advance(1_001);
    adapter.failing("changes", () => new WarpError("unavailable", "cut off"));
    const loads = adapter.count("getMany");
    expect(await warp.get("k")).toBe(1);
    expect(adapter.count("getMany")).toBe(loads + 1);
    expect(errors).toMatchObject([{ code: "unavailable" }]);
    expect(warp.stats().errors).toBe(1);
    // Its error is held: not one exchange for each read.
    await warp.invalidateLocal({ keys: ["k"] });
    await warp.get("k");
    expect(adapter.count("changes")).toBe(1);
  });

  it("SB3 with the storage cut off, L1 serves up to the bound and not past it", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.set("k", 1);
    for (const method of ["changes", "getMany"] as const) {
      adapter.failing(method, () => new WarpError("unavailable", "cut off"));
    }
    await bed.clock.advance(1_000);
    expect(await warp.get("k")).toBe(1);
    await bed.clock.advance(1);
    expect(warp.peek("k")).toBeUndefined();
    await expect(warp.get("k")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("SB3 an adapter without changes: a copy lives for maxStalenessMs from its own sending", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ ...eventual(1_000), supports: { changes: false } });
    await warp.set("k", 1);
    await bed.clock.advance(1_000);
    expect((await warp.lookup("k")).cache).toBe("hit");
    await bed.clock.advance(1);
    expect((await warp.lookup("k")).cache).toBe("miss");
    expect(adapter.count("changes")).toBe(0);
  });

  it("SB3 an own write's copy is as fresh as its sending, not as its answer", async () => {
    const bed = coreBed();
    const writer = bed.node();
    const { warp, adapter } = bed.node({ ...eventual(1_000), supports: { changes: false } });
    await warp.get("warm");
    adapter.hold("batch");
    const writing = warp.set("k", "mine");
    await bed.clock.settle();
    const call = adapter.take("batch");
    await call.act();
    await writer.warp.set("k", "newer");
    await bed.clock.advance(1_001);
    await call.answer();
    await writing;
    expect(await warp.get("k")).toBe("newer");
  });

  it("a reader that comes after the log told of a change joins no load from before it", async () => {
    const bed = coreBed();
    const writer = bed.node();
    await writer.warp.set("k", "old");
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.set("other", 1);
    await bed.clock.advance(600);
    adapter.hold("getMany");
    const reading = warp.get("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    await writer.warp.set("k", "new");
    await bed.clock.advance(401);
    adapter.release("getMany");
    await warp.get("other");
    expect(await warp.get("k")).toBe("new");
    await call.answer();
    expect(await reading).toBe("new");
  });

  it("an answer that found the key absent drops the copy", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ ...eventual(1_000), supports: { changes: false } });
    await warp.set("k", 1);
    await bed.node().warp.delete("k");
    await bed.clock.advance(1_001);
    expect(await warp.get("k")).toBeUndefined();
    expect(warp.stats().cache.entries).toBe(0);
  });

  it("local mode serves its copy without bound, strong mode never", async () => {
    const bed = coreBed();
    const writer = bed.node();
    const { warp } = bed.node({
      registrations: statics({ "l:*": { mode: "local" }, "s:*": { mode: "strong" } }),
    });
    for (const key of ["l:1", "s:1"]) await warp.set(key, "old");
    for (const key of ["l:1", "s:1"]) await writer.warp.set(key, "new");
    expect(await warp.get("s:1")).toBe("new");
    await bed.clock.advance(200_000);
    expect(await warp.get("l:1")).toBe("old");
  });

  it("a log longer than one answer is followed to its head before anything is served", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.set("k", "old");
    await bed.clock.advance(1_001);
    const real = adapter.inner.changes.bind(adapter.inner);
    let pages = 0;
    adapter.inner.changes = async (since) => {
      const all = await real(since);
      pages++;
      const [change] = all.changes;
      if (change === undefined || all.changes.length === 1) return all;
      return { ...all, changes: [change], to: { ...all.to, revision: change.revision }, complete: false };
    };
    const writer = bed.node();
    await writer.warp.set("x", 1);
    await writer.warp.set("y", 1);
    await writer.warp.set("k", "new");
    expect(await warp.get("k")).toBe("new");
    expect(pages).toBe(3);
  });
});

describe("SB2 a gap or a changed epoch never leaves stale data served", () => {
  it("SB2 a gap drops the shard's copies and says so", async () => {
    const bed = coreBed({ logMaxEntries: 10 });
    const writer = bed.node();
    const { warp } = bed.node(eventual(1_000));
    const drops: WarpEvents["drop"][] = [];
    warp.on("drop", (drop) => drops.push(drop));
    await warp.set("k", "old");
    await warp.set("same", 1);
    await writer.warp.set("k", "new");
    for (let i = 0; i < 50; i++) await writer.warp.set("x", i);
    await bed.clock.advance(1_001);
    expect(await warp.get("k")).toBe("new");
    expect(drops).toEqual([{ shard: 0, reason: "compacted" }]);
    expect((await warp.lookup("same")).cache).toBe("miss");
    expect((await warp.lookup("same")).cache).toBe("hit");
    expect(warp.stats().drops).toBe(1);
  });

  it("SB2 an answer of another epoch drops everything at once, also what is on its way", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: statics({ "*": { mode: "local" } }) });
    await warp.set("k", "old");
    await warp.set("other", "old");
    await warp.invalidateLocal({ keys: ["k"] });
    adapter.hold("getMany");
    const reading = warp.get("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    adapter.release("getMany");
    const restored = bed.newStorage();
    adapter.inner = memoryAdapter({ storage: restored });
    await warp.set("elsewhere", 1);
    expect(warp.peek("other")).toBeUndefined();
    await call.answer();
    await reading;
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBeUndefined();
    expect(await warp.get("elsewhere")).toBe(1);
  });

  it("SB2 an old epoch's answer that comes late does not bring its life back", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: statics({ "*": { mode: "local" } }) });
    await warp.set("k", "old");
    await warp.invalidateLocal({ keys: ["k"] });
    adapter.hold("getMany");
    const reading = warp.get("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    adapter.release("getMany");
    adapter.inner = memoryAdapter({ storage: bed.newStorage() });
    await warp.set("k", "mine");
    const drops = warp.stats().drops;
    await call.answer();
    await reading;
    expect(await warp.get("k")).toBe("mine");
    expect(warp.stats().drops).toBe(drops);
  });

  it("SB2 positions of another epoch count for nothing: what is read in the new one enters, however low its revision", async () => {
    const bed = coreBed();
    const writer = bed.node();
    for (let i = 0; i < 20; i++) await writer.warp.set("k", i);
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.get("k");
    // An exchange of the old life is on its way while the new one is met.
    await bed.clock.advance(501);
    adapter.hold("changes");
    await writer.warp.set("k", "old life");
    await warp.get("k");
    await bed.clock.settle();
    const exchange = adapter.take("changes");
    await exchange.act();
    adapter.release("changes");
    const restored = bed.newStorage();
    adapter.inner = memoryAdapter({ storage: restored });
    await warp.set("k", "new life");
    await exchange.answer();
    await bed.clock.settle();
    expect(await warp.lookup("k")).toMatchObject({ cache: "hit", value: "new life" });
    await warp.invalidateLocal({ keys: ["k"] });
    expect((await warp.lookup("k")).cache).toBe("miss");
    expect(await warp.lookup("k")).toMatchObject({ cache: "hit", value: "new life" });
    expect(warp.stats()).toMatchObject({ drops: 1, refusedFills: 0 });
  });

  it("SB2 a changed epoch that only an exchange meets is a drop as well", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node(eventual(1_000));
    await warp.set("k", "old");
    const restored = bed.newStorage();
    adapter.inner = memoryAdapter({ storage: restored });
    await bed.clock.advance(1_001);
    expect(await warp.get("k")).toBeUndefined();
    expect(warp.stats().drops).toBe(1);
  });

  it("SB2 what was read before the node knew its position does not enter if the log may have passed it", async () => {
    const bed = coreBed();
    const writer = bed.node();
    await writer.warp.set("a", "old");
    await writer.warp.set("b", "old");
    const { warp, adapter } = bed.node({ registrations: statics({ "*": { mode: "local" } }) });
    adapter.hold("getMany");
    const a = warp.get("a");
    await bed.clock.settle();
    const early = adapter.take("getMany");
    await early.act();
    await writer.warp.set("a", "new");
    const b = warp.get("b");
    await bed.clock.settle();
    await adapter.take("getMany").answer();
    await b;
    // The node follows the log from after the change of a: an answer from before it could never be corrected.
    await early.answer();
    expect(await a).toBe("old");
    expect(warp.peek("a")).toBeUndefined();
    expect(warp.peek("b")).toBe("old");
  });
});
