import { describe, expect, it } from "vitest";
import type { PushedChanges, PushListener } from "../../src/adapter/adapter.ts";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { Warp } from "../../src/core/warp.ts";
import { jsonCodec } from "../../src/runtime/codec.ts";
import { statics } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

function memoryBed(logMaxEntries?: number) {
  const clock = virtualClock();
  const random = seeded(1);
  const storage = new MemoryStorage({
    clock,
    random,
    ...(logMaxEntries === undefined ? {} : { logMaxEntries }),
  });
  /** A node whose keys are all of this mode; without, it goes by what is registered. */
  const node = (mode?: "strong" | "eventual") => {
    const adapter = memoryAdapter({ storage });
    const cache = memoryCache({});
    const errors: unknown[] = [];
    const warp = new Warp({
      adapter,
      cache,
      clock,
      timers: clock,
      random,
      background: { run: (work) => void work.catch((error: unknown) => errors.push(error)) },
      registrations: mode === undefined ? [] : statics({ "*": { mode } }),
    });
    warp.on("error", ({ error }) => errors.push(error));
    return { adapter, cache, warp, errors };
  };
  return { clock, storage, node };
}

const deaf: PushListener = { changes() {}, invalidate() {}, gap() {}, lost() {} };

describe("pushes within a process", () => {
  it("SB1 every commit is told once, in order and without holes, in its own turn", async () => {
    const { clock, storage, node } = memoryBed();
    const { warp } = node("eventual");
    const pushed: PushedChanges[] = [];
    const listener = memoryAdapter({ storage });
    const end = listener.pushes?.listen({ ...deaf, changes: (one) => void pushed.push(one) });
    await warp.set("a", 1, { expiresInMs: 1_000 });
    await warp.setMany([
      ["b", 1],
      ["c", 1],
    ]);
    await warp.register("x:*", { mode: "local" });
    await warp.unregister("x:*");
    await clock.advance(1_000);
    await warp.invalidate({ prefix: "b" });
    await warp.invalidate({ tags: ["t"] });
    expect(pushed.map(({ after, to }) => [after, to])).toEqual([
      [0, 1],
      [1, 3],
      [3, 4],
      [4, 5],
      [5, 6],
      [6, 7],
      [7, 8],
    ]);
    expect(pushed.flatMap(({ changes }) => changes.map(({ kind }) => kind))).toEqual([
      "set",
      "set",
      "set",
      "register",
      "register",
      "expire",
      "invalidatePrefix",
      "invalidateTag",
    ]);
    end?.();
    await warp.set("d", 1);
    expect(pushed).toHaveLength(7);
  });

  it("TX6 a transaction is told in one piece", async () => {
    const { storage, node } = memoryBed();
    const { adapter } = node("eventual");
    const pushed: PushedChanges[] = [];
    memoryAdapter({ storage }).pushes?.listen({ ...deaf, changes: (one) => void pushed.push(one) });
    const { verdict } = await adapter.transact({
      opId: `01a0c450-92e5-7d03-ab52-1cb8f1fd805b/test`,
      compare: [],
      success: ["a", "b"].map((key) => ({ kind: "set", key, payload: jsonCodec.encode(1) })),
      failure: [],
    });
    expect(verdict.outcome).toBe("ok");
    expect(pushed.map(({ after, to, changes }) => [after, to, changes.length])).toEqual([[0, 1, 2]]);
  });

  it("ST1 X-02 strong keys are held, and gone from every node before the writer has its answer", async () => {
    const { node } = memoryBed();
    const nodes = [node("strong"), node("strong"), node("strong")];
    const [writer] = nodes;
    await writer?.warp.set("k", 1);
    for (const { warp } of nodes) expect(await warp.get("k")).toBe(1);
    expect(nodes.map(({ warp }) => warp.peek("k"))).toEqual([1, 1, 1]);
    const writing = writer?.warp.set("k", 2);
    // No turn has passed but that of the call.
    for (let turn = 0; turn < 3; turn++) await Promise.resolve();
    expect(nodes.map(({ warp }) => warp.peek("k"))).toEqual([undefined, undefined, undefined]);
    await writing;
    for (const { warp } of nodes) expect(await warp.get("k")).toBe(2);
    for (const { errors } of nodes) expect(errors).toEqual([]);
  });

  it("ST1 what ends by itself is not held", async () => {
    const { node } = memoryBed();
    const { warp } = node("strong");
    await warp.set("k", 1, { expiresInMs: 60_000 });
    await warp.get("k");
    expect(warp.peek("k")).toBeUndefined();
  });

  it("ST1 a commit of more than the log keeps: nobody may go on with what they hold", async () => {
    const { node } = memoryBed(5);
    const [writer, reader] = [node("strong"), node("strong")];
    await writer.warp.set("k", "old");
    expect(await reader.warp.get("k")).toBe("old");
    expect(reader.warp.peek("k")).toBe("old");
    await writer.warp.setMany<string>([
      ["k", "new"],
      ...Array.from({ length: 50 }, (_, i) => [`x${i}`, "x"] as const),
    ]);
    expect(reader.warp.peek("k")).toBeUndefined();
    expect(await reader.warp.get("k")).toBe("new");
    expect(reader.warp.peek("k")).toBe("new");
  });

  it("ST1 a cache that fails to drop ends the tenure, its error is told, and others hear of the change", async () => {
    const { node } = memoryBed();
    const [writer, broken, sound] = [node("strong"), node("strong"), node("strong")];
    await writer.warp.set("k", 1);
    for (const { warp } of [broken, sound]) await warp.get("k");
    const drop = broken.cache.delete.bind(broken.cache);
    broken.cache.delete = () => {
      throw new Error("planned");
    };
    await writer.warp.set("k", 2);
    expect(broken.warp.peek("k")).toBeUndefined();
    expect(sound.warp.peek("k")).toBeUndefined();
    expect(broken.errors).toEqual([new Error("planned")]);
    broken.cache.delete = drop;
    expect(await broken.warp.get("k")).toBe(2);
    expect(broken.warp.peek("k")).toBe(2);
  });

  it("CO10 a closed node hears nothing, and without pushes nobody holds strong keys", async () => {
    const { clock, storage, node } = memoryBed();
    const { adapter, warp } = node("strong");
    await warp.set("k", 1);
    await warp.get("k");
    await warp.close();
    expect(adapter.pushes?.servesUntilMs(0, 1)).toBe(Number.NEGATIVE_INFINITY);
    const silent = memoryAdapter({ storage, pushes: false });
    expect(silent.pushes).toBeUndefined();
    const [answer] = await silent.getMany(["k"], { strong: "hold" });
    expect(answer).toMatchObject({ entry: { version: 1 } });
    expect(answer?.tenure).toBeUndefined();
    expect(clock.timers).toBe(0);
  });

  it("DI-01 two nodes and a strong summing key: 1 and 2 set on the one come to be read as 3 on the other", async () => {
    const { node } = memoryBed();
    const [one, two] = [node(), node()];
    await one.warp.register("sum", { mode: "strong", merge: "sum" });
    expect(await two.warp.get("sum")).toBeUndefined();
    await one.warp.set("sum", 1);
    expect(await two.warp.get("sum")).toBe(1);
    await one.warp.set("sum", 2);
    expect(await two.warp.get("sum")).toBe(3);
    expect(two.warp.peek("sum")).toBe(3);
    expect(await one.warp.get("sum")).toBe(3);
  });
});
