import { describe, expect, it } from "vitest";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { tieredCache } from "../../src/cache/tiered/tiered-cache.ts";
import type { RegistrationOptions } from "../../src/core/types.ts";
import { coreBed, statics } from "../support/core-bed.ts";
import { ScriptedPushes } from "../support/scripted-pushes.ts";

/** A bed with a writer, and a node that hears pushes when the test sends them. */
function pushedBed(policy: RegistrationOptions = {}, logMaxEntries?: number) {
  const bed = coreBed(logMaxEntries === undefined ? {} : { logMaxEntries });
  const pushes = new ScriptedPushes(bed.storage);
  const node = bed.node({ pushes, registrations: statics({ "*": policy }) });
  return { bed, pushes, writer: bed.node(), ...node };
}

const head = (bed: { readonly storage: { readonly position: { readonly revision: number } } }): number =>
  bed.storage.position.revision;

describe("pushes make L1 fresh early", () => {
  it("SB1 a pushed change drops the copy at once, others stay, and the log is not asked for it again", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed();
    await writer.warp.set("k", "old");
    await writer.warp.set("other", 1);
    expect(await warp.getMany(["k", "other"])).toEqual(
      new Map<string, unknown>([
        ["k", "old"],
        ["other", 1],
      ]),
    );
    const before = head(bed);
    await writer.warp.set("k", "new");
    expect(warp.peek("k")).toBe("old");
    pushes.push(before);
    expect(warp.peek("k")).toBeUndefined();
    expect(warp.peek("other")).toBe(1);
    expect(await warp.get("k")).toBe("new");
    await bed.clock.advance(5_001);
    adapter.hold("changes");
    const reading = warp.get("other");
    await bed.clock.settle();
    const exchange = adapter.take("changes");
    expect(exchange.args[0]).toMatchObject({ revision: before + 1 });
    await exchange.answer();
    expect(await reading).toBe(1);
  });

  it("SB1 a push that comes twice, or late, drops nothing that is newer", async () => {
    const { bed, pushes, writer, warp } = pushedBed();
    await writer.warp.set("k", 1);
    await warp.get("k");
    const before = head(bed);
    await writer.warp.set("k", 2);
    pushes.push(before);
    expect(await warp.get("k")).toBe(2);
    const events: unknown[] = [];
    warp.on("invalidate", (event) => events.push(event));
    pushes.push(before);
    pushes.push(0);
    expect(warp.peek("k")).toBe(2);
    expect(events).toEqual([]);
  });

  it("SB2 a hole between pushes is asked for by the next exchange; what came beyond it was applied", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed();
    await writer.warp.setMany([
      ["a", 1],
      ["b", 1],
      ["c", 1],
    ]);
    await warp.getMany(["a", "b", "c"]);
    const from = head(bed);
    await writer.warp.set("a", 2);
    await writer.warp.set("b", 2);
    // The push of `a` was lost.
    pushes.push(from + 1);
    expect(warp.peek("b")).toBeUndefined();
    await bed.clock.advance(5_001);
    adapter.hold("changes");
    const reading = warp.get("a");
    await bed.clock.settle();
    const exchange = adapter.take("changes");
    expect(exchange.args[0]).toMatchObject({ revision: from });
    await exchange.answer();
    expect(await reading).toBe(2);
    // With the hole filled, the next one goes on from the head.
    await writer.warp.set("c", 2);
    pushes.push(from + 2);
    await bed.clock.advance(5_001);
    const later = warp.get("a");
    await bed.clock.settle();
    const next = adapter.take("changes");
    expect(next.args[0]).toMatchObject({ revision: from + 3 });
    await next.answer();
    await later;
  });

  it("SB3 pushes prove nothing: a node that hears them still asks before its bound is over", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ maxStalenessMs: 1_000 });
    await writer.warp.set("k", "old");
    expect(await warp.get("k")).toBe("old");
    for (let i = 0; i < 11; i++) {
      await bed.clock.advance(90);
      const from = head(bed);
      await writer.warp.set("x", i);
      pushes.push(from);
    }
    adapter.hold("changes");
    const before = head(bed);
    await writer.warp.set("k", "new");
    pushes.push(before, before + 1, { changes: [] });
    await bed.clock.advance(1_001);
    expect(warp.peek("k")).toBeUndefined();
    const reading = warp.get("k");
    await bed.clock.settle();
    await adapter.take("changes").answer();
    await reading;
    expect(adapter.count("changes")).toBeGreaterThan(0);
  });

  it("CO3 what was read before a pushed change never enters L1 after it; what was read after it may", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed();
    await writer.warp.set("k", "old");
    await warp.get("warm");
    const before = head(bed);
    adapter.hold("getMany");
    const reading = warp.get("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    await writer.warp.set("k", "new");
    pushes.push(before);
    adapter.release("getMany");
    const late = warp.get("k");
    expect(await late).toBe("new");
    await call.answer();
    expect(await reading).toBe("new");
    expect(warp.peek("k")).toBe("new");
  });

  it("CO3 X-03 the first read of all is overtaken by a push: its answer stays out, though nothing was known of the shard", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ mode: "local" });
    await writer.warp.set("k", "old");
    const before = head(bed);
    adapter.hold("getMany");
    const reading = warp.get("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    await writer.warp.set("k", "new");
    pushes.push(before);
    await call.answer();
    await bed.clock.settle();
    expect(warp.peek("k")).toBeUndefined();
    // The overtaken answer is asked for again.
    await adapter.take("getMany").answer();
    expect(await reading).toBe("new");
    expect(warp.peek("k")).toBe("new");
  });

  it("CO4 the first call of all is a write whose push comes before its reply", async () => {
    const { pushes, warp, adapter, bed } = pushedBed();
    adapter.hold("batch");
    const writing = warp.set("k", "mine");
    await bed.clock.settle();
    const call = adapter.take("batch");
    await call.act();
    pushes.push(0);
    await call.answer();
    await writing;
    expect(warp.peek("k")).toBe("mine");
  });

  it("CO4 a node's own change that comes back by push costs it no copy", async () => {
    const { bed, pushes, warp, adapter } = pushedBed();
    await warp.get("warm");
    const before = head(bed);
    await warp.set("k", "mine");
    pushes.push(before);
    expect(warp.peek("k")).toBe("mine");
    expect(adapter.count("getMany")).toBe(1);
    await warp.delete("k");
    await warp.set("k", "again");
    pushes.push(before);
    expect(warp.peek("k")).toBe("again");
  });

  it.each([
    ["set", {}],
    ["setMany of what is held", { k: "held" }],
  ])("CO4 X-01 its push may come before the reply of its write: by %s", async (how, held) => {
    const { bed, pushes, warp, adapter } = pushedBed();
    await warp.get("warm");
    for (const [key, value] of Object.entries(held)) await warp.set(key, value);
    const before = head(bed);
    adapter.hold("batch");
    const writing = how === "set" ? warp.set("k", "mine") : warp.setMany([["k", "mine"]]);
    await bed.clock.settle();
    const call = adapter.take("batch");
    await call.act();
    pushes.push(before);
    expect(warp.peek("k")).toBeUndefined();
    await call.answer();
    await writing;
    expect(warp.peek("k")).toBe("mine");
    expect(warp.stats().refusedFills).toBe(0);
  });

  it("CO4 another's change after its write is pushed before the reply: the written copy stays out", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed();
    await warp.get("warm");
    adapter.hold("batch");
    const writing = warp.set("k", "mine");
    await bed.clock.settle();
    const call = adapter.take("batch");
    await call.act();
    await writer.warp.set("k", "theirs");
    pushes.push(0);
    await call.answer();
    await writing;
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBe("theirs");
    expect(head(bed)).toBe(2);
  });

  it("CO9 prefix, tag and registration entries count as they do in the log", async () => {
    const { bed, pushes, writer, warp } = pushedBed();
    await writer.warp.set("a:1", 1);
    await writer.warp.set("b:1", 1, { tags: ["t"] });
    await writer.warp.set("c:1", 1);
    await warp.getMany(["a:1", "b:1", "c:1"]);
    const before = head(bed);
    await writer.warp.invalidate({ prefix: "a:" });
    await writer.warp.invalidate({ tags: ["t"] });
    await writer.warp.register("c:*", { mode: "local" });
    pushes.push(before);
    expect([warp.peek("a:1"), warp.peek("b:1")]).toEqual([undefined, undefined]);
    await warp.get("a:1");
    expect(warp.peek("c:1")).toBe(1);
    expect((await warp.registration("c:*"))?.settings.mode).toBe("local");
  });

  it("SB1 an intent drops the copy, and the old value may be read again until the write commits", async () => {
    const { bed, pushes, writer, warp } = pushedBed();
    await writer.warp.set("k", "old");
    await warp.get("k");
    const revision = head(bed) + 1;
    await writer.warp.invalidate({ keys: ["k"] });
    pushes.push(revision - 1, revision, { changes: [{ kind: "intent", key: "k", revision }] });
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBe("old");
    expect(warp.peek("k")).toBe("old");
    await writer.warp.set("k", "new");
    pushes.push(revision);
    expect(await warp.get("k")).toBe("new");
  });

  it("SB2 a gap: what is held counts for its own age only until the log was asked; one that is behind means nothing", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ maxStalenessMs: 1_000 }, 5);
    await writer.warp.set("k", "old");
    await warp.set("same", 1);
    await bed.clock.advance(600);
    const asked = adapter.count("changes");
    pushes.gap();
    await bed.clock.settle();
    expect(adapter.count("changes")).toBe(asked);
    for (let i = 0; i < 20; i++) await writer.warp.set("x", i);
    pushes.gap();
    await bed.clock.settle();
    expect(adapter.count("changes")).toBe(asked + 1);
    // The log could not say what happened either.
    expect(warp.peek("same")).toBeUndefined();
    expect(warp.stats().drops).toBe(1);
  });

  it("SB2 after a gap nothing that waits for proof is served before the log answered", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ maxStalenessMs: 1_000 });
    await writer.warp.set("k", "old");
    await warp.get("k");
    await bed.clock.advance(990);
    await warp.get("k");
    await bed.clock.advance(700);
    expect(warp.peek("k")).toBe("old");
    await bed.clock.settle();
    await writer.warp.set("k", "new");
    adapter.hold("changes");
    pushes.gap();
    expect(warp.peek("k")).toBeUndefined();
    const reading = warp.get("k");
    await bed.clock.settle();
    await adapter.take("changes").answer();
    expect(await reading).toBe("new");
  });

  it("CO10 after close nobody listens, and a push that comes all the same does nothing", async () => {
    const { pushes, writer, warp, bed } = pushedBed();
    await writer.warp.set("k", 1);
    await warp.get("k");
    const [listener] = pushes.listeners;
    expect(pushes.listeners.size).toBe(1);
    await warp.close();
    expect(pushes.listeners.size).toBe(0);
    const { epoch, revision } = bed.storage.position;
    listener?.changes({ shard: 0, epoch, after: 0, to: revision, changes: [] });
    expect(
      listener?.invalidate({ shard: 0, epoch, revision, keys: ["k"], prefixes: [], tags: [] }),
    ).toBeUndefined();
    listener?.gap({ shard: 0, epoch, revision });
    listener?.lost(0);
    expect(bed.leaks).toEqual([]);
  });

  it("SB3 a cache that makes one wait: the position moves on when it has dropped, in whatever order", async () => {
    const bed = coreBed();
    const pushes = new ScriptedPushes(bed.storage);
    const cache = tieredCache(memoryCache({}), memoryCache({}));
    const { warp, adapter } = bed.node({ pushes, cache });
    const writer = bed.node();
    await writer.warp.setMany([
      ["a", 1],
      ["b", 1],
    ]);
    await warp.getMany(["a", "b"]);
    const from = head(bed);
    await writer.warp.set("a", 2);
    await writer.warp.set("b", 2);
    pushes.push(from, from + 1);
    pushes.push(from + 1);
    expect([warp.peek("a"), warp.peek("b")]).toEqual([undefined, undefined]);
    await bed.clock.settle();
    expect(await warp.get("a")).toBe(2);
    await bed.clock.advance(5_001);
    adapter.hold("changes");
    const reading = warp.get("a");
    await bed.clock.settle();
    expect(adapter.take("changes").args[0]).toMatchObject({ revision: from + 2 });
    await warp.close();
    await expect(reading).rejects.toMatchObject({ code: "warp_closed" });
  });
});

describe("SB2 pushes of another life of the shard", () => {
  it("SB2 all of the shard goes, and an exchange tells which life is the newer one", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ mode: "local" });
    await writer.warp.set("k", "old");
    expect(await warp.get("k")).toBe("old");
    const restored = bed.newStorage();
    adapter.inner = memoryAdapter({ storage: restored });
    pushes.push(0, 1, { epoch: restored.position.epoch });
    expect(warp.peek("k")).toBeUndefined();
    await bed.clock.settle();
    expect(warp.stats().drops).toBe(1);
    expect(await warp.get("k")).toBeUndefined();
    await warp.set("k", "new life");
    expect(warp.peek("k")).toBe("new life");
  });

  it("SB2 a late one of an earlier life costs the copies, and no promise", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ mode: "local" });
    await writer.warp.set("k", "old");
    await warp.get("k");
    const old = bed.storage.position;
    const restored = bed.newStorage();
    adapter.inner = memoryAdapter({ storage: restored });
    await warp.set("k", "new life");
    pushes.push(0, 1, { epoch: old.epoch });
    await bed.clock.settle();
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBe("new life");
    expect(warp.peek("k")).toBe("new life");
    expect(warp.stats().drops).toBe(1);
  });

  it("SB2 what is on its way when it comes stays out, of whichever life", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ mode: "local" });
    await writer.warp.set("k", "old");
    await warp.get("warm");
    adapter.hold("getMany");
    const reading = warp.get("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    const restored = bed.newStorage();
    pushes.push(0, 1, { epoch: restored.position.epoch });
    await call.answer();
    await reading;
    expect(warp.peek("k")).toBeUndefined();
  });

  it("SB2 the space is deleted and made again while its last pushes are on their way", async () => {
    const { bed, pushes, writer, warp, adapter } = pushedBed({ mode: "local" });
    await writer.warp.set("k", "old");
    await warp.get("k");
    let life = 0;
    Object.defineProperty(adapter, "life", { get: () => life });
    const old = bed.storage.position;
    adapter.inner = memoryAdapter({ storage: bed.newStorage() });
    life = 1;
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBeUndefined();
    await warp.set("k", "new");
    pushes.push(0, old.revision, { epoch: old.epoch });
    pushes.gap(old.revision, old.epoch);
    await bed.clock.settle();
    expect(await warp.get("k")).toBe("new");
    expect(warp.peek("k")).toBe("new");
    expect(bed.leaks).toEqual([]);
  });
});

describe("nodes that share a storage and hear each other", () => {
  it("DI-10 ten nodes: what node 0 writes, all read within a second", async () => {
    const bed = coreBed();
    const nodes = Array.from({ length: 10 }, () => {
      const pushes = new ScriptedPushes(bed.storage);
      return { pushes, ...bed.node({ pushes, registrations: statics({ "*": { mode: "local" } }) }) };
    });
    for (const value of ["A", "B", "C"]) {
      const from = head(bed);
      await nodes[0]?.warp.set("k", value);
      await bed.clock.advance(1_000);
      for (const { pushes } of nodes) pushes.push(from);
      for (const { warp } of nodes) expect(await warp.get("k")).toBe(value);
      for (const { warp } of nodes) expect(warp.peek("k")).toBe(value);
    }
  });

  it("DI-02 two nodes invalidate at once: two entries, and each node drops its copy", async () => {
    const bed = coreBed();
    const nodes = [1, 2].map(() => {
      const pushes = new ScriptedPushes(bed.storage);
      return { pushes, ...bed.node({ pushes }) };
    });
    await nodes[0]?.warp.set("k", 1);
    for (const { warp } of nodes) await warp.get("k");
    const from = head(bed);
    await Promise.all(nodes.map(({ warp }) => warp.invalidate({ keys: ["k"] })));
    for (const { pushes } of nodes) pushes.push(from);
    expect(head(bed) - from).toBe(2);
    expect(nodes.map(({ warp }) => warp.peek("k"))).toEqual([undefined, undefined]);
    expect(await Promise.all(nodes.map(({ warp }) => warp.get("k")))).toEqual([1, 1]);
  });
});
