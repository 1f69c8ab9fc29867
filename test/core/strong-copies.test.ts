import { describe, expect, it } from "vitest";
import type { ReadOptions } from "../../src/adapter/adapter.ts";
import type { Cache } from "../../src/cache/cache.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { resilientCache } from "../../src/cache/resilient/resilient-cache.ts";
import { tieredCache } from "../../src/cache/tiered/tiered-cache.ts";
import type { WarpOptions } from "../../src/core/types.ts";
import { WarpError } from "../../src/errors.ts";
import { coreBed, statics } from "../support/core-bed.ts";
import { ScriptedPushes } from "../support/scripted-pushes.ts";

const leaseMs = 4_000;

/** A node whose strong reads are given permission under the present tenure, and a writer beside it. */
function holdingBed(options: Partial<WarpOptions> = {}) {
  const bed = coreBed();
  const pushes = new ScriptedPushes(bed.storage);
  const node = bed.node({
    pushes,
    registrations: statics({ "*": { mode: "strong", cacheTtlMs: 60_000 } }),
    ...options,
  });
  const { inner } = node.adapter;
  const asked: (ReadOptions["strong"] | undefined)[] = [];
  const read = inner.getMany.bind(inner);
  /** Whether the shard gives permission. */
  const shard = { gives: true };
  inner.getMany = async (keys, call) => {
    const { tenure } = pushes;
    asked.push(call?.strong);
    const answers = await read(keys, call);
    const holds = call?.strong === "hold" && shard.gives;
    return answers.map(({ key, entry, asOf }) => ({
      key,
      entry,
      asOf,
      ...(holds && entry !== undefined ? { tenure } : {}),
    }));
  };
  pushes.untilMs = bed.clock.now() + leaseMs;
  return { bed, pushes, asked, shard, writer: bed.node(), ...node };
}

const head = (bed: { readonly storage: { readonly position: { readonly revision: number } } }): number =>
  bed.storage.position.revision;

/** A strong read of `k` on its way that was answered with `"old"` and permission, but the node does not know yet. */
async function heldReadInFlight(options: Partial<WarpOptions> = {}) {
  const held = holdingBed(options);
  await held.writer.warp.set("k", "old");
  await held.warp.get("warm");
  held.adapter.hold("getMany");
  const reading = held.warp.get("k");
  await held.bed.clock.settle();
  const call = held.adapter.take("getMany");
  await call.act();
  held.adapter.release("getMany");
  return { ...held, reading, call };
}

describe("ST1 strong keys are served from L1 under a tenure only", () => {
  it("ST1 a copy with permission is a hit while the node lease lasts, and not from its end on", async () => {
    const { bed, pushes, asked, writer, warp } = holdingBed();
    await writer.warp.set("k", 1);
    expect(await warp.lookup("k")).toMatchObject({ value: 1, cache: "bypass" });
    expect(asked).toEqual(["hold"]);
    expect(await warp.lookup("k")).toMatchObject({ value: 1, cache: "hit" });
    expect(warp.peek("k")).toBe(1);
    await bed.clock.advance(leaseMs - 1);
    expect(warp.peek("k")).toBe(1);
    // A lease that is renewed in time serves the same copy: its tenure goes on.
    pushes.untilMs = bed.clock.now() + leaseMs;
    await bed.clock.advance(leaseMs - 1);
    expect(warp.peek("k")).toBe(1);
    await bed.clock.advance(1);
    expect(warp.peek("k")).toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  it("ST1 a copy of an earlier tenure is not served, and does not enter under it", async () => {
    const { bed, pushes, warp, reading, call } = await heldReadInFlight();
    pushes.renew();
    await call.answer();
    expect(await reading).toBe("old");
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBe("old");
    expect(warp.peek("k")).toBe("old");
    pushes.renew();
    expect(warp.peek("k")).toBeUndefined();
    expect(bed.leaks).toEqual([]);
  });

  it("ST1 no permission, no copy: absent keys, refused holds, and an adapter without pushes", async () => {
    const { shard, writer, warp } = holdingBed();
    shard.gives = false;
    await writer.warp.set("k", 1);
    await warp.get("k");
    await warp.get("absent");
    expect(warp.peek("k")).toBeUndefined();
    expect((await warp.lookup("absent")).cache).toBe("bypass");
    expect(warp.stats().cache.entries).toBe(0);

    const bed = coreBed();
    const plain = bed.node({ registrations: statics({ "*": { mode: "strong" } }) });
    const strong: unknown[] = [];
    const read = plain.adapter.inner.getMany.bind(plain.adapter.inner);
    plain.adapter.inner.getMany = (keys, call) => {
      strong.push(call?.strong);
      return read(keys, call);
    };
    await plain.warp.set("k", 1);
    await plain.warp.get("k");
    await plain.warp.get("k");
    expect(strong).toEqual(["read", "read"]);
    expect(plain.warp.stats().cache.entries).toBe(0);
  });

  it("ST1 strong and other keys of one call are asked for apart, and only the strong ones as such", async () => {
    const { asked, writer, warp } = holdingBed({
      registrations: statics({ "s:*": { mode: "strong" }, "e:*": {} }),
    });
    await writer.warp.setMany([
      ["s:1", 1],
      ["e:1", 2],
      ["s:2", 3],
    ]);
    const found = await warp.getMany(["s:1", "e:1", "s:2"]);
    expect([...found.values()]).toEqual([1, 2, 3]);
    expect(asked.sort()).toEqual(["hold", undefined]);
    expect([warp.peek("s:1"), warp.peek("e:1"), warp.peek("s:2")]).toEqual([1, 2, 3]);
  });

  it("ST1 cacheTtlMs bounds strong copies too", async () => {
    const { bed, pushes, writer, warp } = holdingBed();
    pushes.untilMs = Number.POSITIVE_INFINITY;
    await writer.warp.set("k", 1);
    await warp.get("k");
    await bed.clock.advance(59_999);
    expect(warp.peek("k")).toBe(1);
    await bed.clock.advance(1);
    expect(warp.peek("k")).toBeUndefined();
  });

  it("ST1 a strong reader never shares a load that was sent before it", async () => {
    const { bed, writer, warp, reading, call } = await heldReadInFlight();
    const late = warp.get("k");
    await bed.clock.settle();
    await writer.warp.set("k", "new");
    await call.answer();
    expect(await reading).toBe("old");
    expect(await late).toBe("new");
  });

  it("ST1 nor one that another policy sent", async () => {
    const { bed, asked, writer, warp, adapter } = holdingBed({
      registrations: [],
      joinTimeoutMs: 60_000,
    });
    await writer.warp.set("k", 1);
    await warp.get("warm");
    adapter.hold("getMany");
    const first = warp.get("k");
    await bed.clock.advance(5_001);
    // Waits for the next load, since the first is too old for it.
    const second = warp.get("k");
    await bed.clock.settle();
    adapter.release("getMany");
    await warp.register("*", { mode: "strong" });
    const third = warp.get("k");
    await bed.clock.settle();
    await adapter.take("getMany").answer();
    expect(await Promise.all([first, second, third])).toEqual([1, 1, 1]);
    expect(asked).toContain("hold");
  });
});

describe("ST2 an invalidation is done when it is acknowledged", () => {
  it("ST2 X-02 it drops the copy at once, and no copy from before its intent enters afterwards", async () => {
    const { bed, pushes, writer, warp, reading, call } = await heldReadInFlight();
    const intent = head(bed) + 1;
    expect(pushes.invalidate({ keys: ["k"], revision: intent })).toEqual([undefined]);
    await writer.warp.invalidate({ keys: ["k"] });
    await call.answer();
    // The reader was there before the write: the old value is right for it, and not for L1.
    expect(await reading).toBe("old");
    expect(warp.peek("k")).toBeUndefined();
    await writer.warp.set("k", "new");
    expect(await warp.get("k")).toBe("new");
    expect(warp.peek("k")).toBe("new");
  });

  it.each([
    ["a key", { keys: ["k:1"] }],
    ["a prefix", { prefixes: ["k:"] }],
    ["a tag", { tags: ["t"] }],
  ])("ST2 it names %s", async (_what, of) => {
    const { bed, pushes, writer, warp } = holdingBed();
    await writer.warp.set("k:1", 1, { tags: ["t"] });
    await writer.warp.set("other", 1, { tags: ["u"] });
    await warp.getMany(["k:1", "other"]);
    expect([warp.peek("k:1"), warp.peek("other")]).toEqual([1, 1]);
    pushes.invalidate({ ...of, revision: head(bed) + 1 });
    expect([warp.peek("k:1"), warp.peek("other")]).toEqual([undefined, 1]);
  });

  it("ST2 of another life of the shard, or before anything is known of it: all goes, and what is on its way stays out", async () => {
    const { bed, pushes, warp, reading, call } = await heldReadInFlight();
    pushes.invalidate({ keys: ["x"], epoch: bed.newStorage().position.epoch, revision: 1 });
    await call.answer();
    await reading;
    expect(warp.peek("k")).toBeUndefined();

    const first = holdingBed();
    await first.writer.warp.set("k", "old");
    first.adapter.hold("getMany");
    const meeting = first.warp.get("k");
    await first.bed.clock.settle();
    const answer = first.adapter.take("getMany");
    await answer.act();
    first.pushes.invalidate({ keys: ["k"], revision: head(first.bed) + 1 });
    await answer.answer();
    expect(await meeting).toBe("old");
    expect(first.warp.peek("k")).toBeUndefined();
  });

  it("ST2 an intent that came to nothing: the old value may be held again", async () => {
    const { bed, pushes, writer, warp } = holdingBed();
    await writer.warp.set("k", "old");
    await warp.get("k");
    pushes.invalidate({ keys: ["k"], revision: head(bed) + 1 });
    await writer.warp.invalidate({ keys: ["k"] });
    expect(await warp.get("k")).toBe("old");
    expect(warp.peek("k")).toBe("old");
  });

  it("ST2 a cache that fails to drop is told to the session, which is given up", async () => {
    const cache = memoryCache({});
    const { bed, pushes, writer, warp } = holdingBed({ cache });
    await writer.warp.set("k", 1);
    await warp.get("k");
    const drop = cache.delete.bind(cache);
    cache.delete = () => {
      throw new WarpError("internal", "broken");
    };
    expect(() => pushes.invalidate({ keys: ["k"], revision: head(bed) + 1 })).toThrow("broken");
    pushes.renew();
    expect(warp.peek("k")).toBeUndefined();
    cache.delete = drop;
  });

  it("ST2 an entry may be dropped while the cache stores it: it is not served after the acknowledgement", async () => {
    const memory = memoryCache({});
    let stores: (() => void) | undefined;
    const slow: Cache = Object.assign(Object.create(memory) as Cache, {
      supports: memory.supports,
      peek: memory.peek.bind(memory),
      inspect: memory.inspect.bind(memory),
      get: memory.get.bind(memory),
      delete: memory.delete.bind(memory),
      deleteWhere: memory.deleteWhere.bind(memory),
      clear: memory.clear.bind(memory),
      stats: memory.stats.bind(memory),
      set: async (key: string, entry: Parameters<Cache["set"]>[1]) => {
        await new Promise<void>((resolve) => {
          stores = resolve;
        });
        return await memory.set(key, entry);
      },
    });
    const { bed, pushes, warp, reading, call } = await heldReadInFlight({ cache: slow });
    await call.answer();
    await bed.clock.settle();
    pushes.invalidate({ keys: ["k"], revision: head(bed) + 1 });
    stores?.();
    expect(await reading).toBe("old");
    expect(warp.peek("k")).toBeUndefined();
  });

  it.each([
    ["resilient", () => resilientCache(memoryCache({}), () => undefined), 1],
    ["tiered", () => tieredCache(memoryCache({}), memoryCache({})), undefined],
  ] as const)(
    "ST2 %s: a cache that may keep what it was told to drop holds no strong copy",
    async (_name, make, peeked) => {
      const { writer, warp } = holdingBed({ cache: make() });
      await writer.warp.set("k", 1);
      expect(await warp.get("k")).toBe(1);
      expect(warp.peek("k")).toBe(peeked);
    },
  );
});

describe("strong keys beside the other ways to a copy", () => {
  it("CO4 after an own strong write the next read is of the authority, and then may be held", async () => {
    const { bed, pushes, asked, warp } = holdingBed();
    await warp.set("k", "mine");
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBe("mine");
    expect(warp.peek("k")).toBe("mine");
    expect(asked).toEqual(["hold"]);
    pushes.push(0);
    expect(warp.peek("k")).toBe("mine");
    expect(head(bed)).toBe(1);
  });

  it("ST4 a copy without a live tenure is given only where the call allows stale ones, marked", async () => {
    const { pushes, writer, warp, adapter } = holdingBed();
    await writer.warp.set("k", "old");
    await warp.get("k");
    pushes.renew();
    await writer.warp.set("k", "new");
    adapter.hold("getMany");
    expect(await warp.lookup("k", { allowStale: true })).toMatchObject({
      value: "old",
      cache: "stale",
      stale: true,
    });
    adapter.release("getMany");
    await adapter.take("getMany").answer();
    expect(await warp.lookup("k")).toMatchObject({ value: "new", stale: false });
    adapter.failing("getMany", () => new WarpError("unavailable", "cut off"));
    pushes.renew();
    await expect(warp.get("k")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("ST4 what a later answer outdated is not given, even as stale", async () => {
    const { bed, pushes, shard, writer, warp } = holdingBed();
    await writer.warp.set("k", "old");
    await warp.get("k");
    pushes.renew();
    await writer.warp.delete("k");
    shard.gives = false;
    expect(await warp.get("k")).toBeUndefined();
    expect((await warp.lookup("k", { allowStale: true })).value).toBeUndefined();
    expect(bed.leaks).toEqual([]);
  });

  it("ST1 a policy that becomes strong: copies from before it are not served", async () => {
    const { writer, warp } = holdingBed({ registrations: [] });
    await writer.warp.set("k", 1);
    const { registration } = await warp.register("k", {});
    expect(await warp.get("k")).toBe(1);
    expect(warp.peek("k")).toBe(1);
    await warp.register("k", { mode: "strong" }, { ifVersion: registration.version });
    await warp.get("warm");
    expect(warp.peek("k")).toBeUndefined();
    await writer.warp.set("k", 2);
    expect(await warp.get("k")).toBe(2);
    expect(warp.peek("k")).toBe(2);
  });

  it("SB3 a policy that becomes eventual: the copy goes on under its own bound", async () => {
    const { bed, pushes, warp, writer } = holdingBed({ registrations: [] });
    const { registration } = await warp.register("k", { mode: "strong" });
    await writer.warp.set("k", 1);
    expect(await warp.get("k")).toBe(1);
    await warp.register("k", { maxStalenessMs: 1_000 }, { ifVersion: registration.version });
    pushes.renew();
    await warp.get("warm");
    expect(warp.peek("k")).toBe(1);
    await writer.warp.set("k", 2);
    await bed.clock.advance(1_001);
    expect(await warp.get("k")).toBe(2);
  });

  it("CO7 a warm-up leaves strong keys out: each would be a permission for the shard to remember", async () => {
    const { asked, writer, warp } = holdingBed();
    await writer.warp.set("k", 1);
    for await (const { loaded } of warp.warmup({ patterns: ["*"] })) expect(loaded).toBe(0);
    expect(asked).toEqual([]);
  });

  it("ST1 getOrSet: who comes while a source runs is not given what was deleted before it came", async () => {
    const { bed, writer, warp, adapter } = holdingBed();
    await warp.get("warm");
    adapter.hold("batch");
    const first = warp.getOrSet("k", () => "first");
    await bed.clock.settle();
    const write = adapter.take("batch");
    await write.act();
    await writer.warp.delete("k");
    const second = warp.getOrSet("k", () => "second");
    await bed.clock.settle();
    adapter.release("batch");
    await write.answer();
    expect(await first).toBe("first");
    expect(await second).toBe("second");
    expect(await warp.get("k")).toBe("second");
  });

  it("CO2 getOrSet of a strong key runs its source once for all who wait", async () => {
    const { warp } = holdingBed();
    let runs = 0;
    const source = async (): Promise<number> => {
      await Promise.resolve();
      return ++runs;
    };
    const values = await Promise.all(Array.from({ length: 20 }, () => warp.getOrSet("k", source)));
    expect(values).toEqual(Array.from({ length: 20 }, () => 1));
    expect(runs).toBe(1);
  });
});

it("ST1 an invalidation stands though the log turns out to be compacted up to a position from before it", async () => {
  const { bed, pushes, adapter, writer, warp, reading, call } = await heldReadInFlight();
  const { position } = bed.storage;
  adapter.inner.changes = async () => ({ changes: [], to: position, gap: "compacted", complete: true });
  adapter.hold("changes");
  pushes.gap(position.revision + 1);
  await bed.clock.settle();
  const exchange = adapter.take("changes");
  await exchange.act();
  await Promise.all(pushes.invalidate({ keys: ["k"], revision: position.revision + 1 }));
  const drops: unknown[] = [];
  warp.on("drop", (drop) => drops.push(drop));
  await exchange.answer();
  await bed.clock.settle();
  expect(drops).toEqual([{ shard: 0, reason: "compacted" }]);
  await call.answer();
  expect(await reading).toBe("old");
  // What the intent was for is committed.
  await writer.warp.set("k", "new");
  expect(await warp.lookup("k")).toMatchObject({ value: "new", cache: "bypass" });
});
