import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { codeOf, coreBed, statics } from "../support/core-bed.ts";

const local = statics({ "*": { mode: "local" } });

/** A node with a read of `k` on its way that the storage has answered with `"old"`, but the node does not know yet. */
async function readInFlight() {
  const bed = coreBed();
  const other = bed.node();
  await other.warp.set("k", "old");
  const node = bed.node({ registrations: local });
  await node.warp.get("warm");
  node.adapter.hold("getMany");
  const reading = node.warp.get("k");
  await bed.clock.settle();
  const call = node.adapter.take("getMany");
  await call.act();
  node.adapter.release("getMany");
  return { bed, other, ...node, reading, call };
}

describe("X-03 a store read in flight while the key is invalidated leaves no old value in L1", () => {
  it("CO3 when the read is answered after the invalidation", async () => {
    const { warp, other, reading, call } = await readInFlight();
    await other.warp.set("k", "new");
    await warp.invalidate({ keys: ["k"] });
    expect(await warp.get("k")).toBe("new");
    await call.answer();
    await reading;
    expect(warp.peek("k")).toBe("new");
  });

  it("CO3 when nobody has read anew before the old answer comes", async () => {
    const { warp, other, reading, call } = await readInFlight();
    await other.warp.set("k", "new");
    await warp.invalidate({ keys: ["k"] });
    await call.answer();
    // The overtaken answer is asked for again.
    expect(await reading).toBe("new");
    expect(warp.peek("k")).toBe("new");
  });

  it("CO3 when the read is answered before the invalidation", async () => {
    const { warp, other, reading, call } = await readInFlight();
    await call.answer();
    expect(await reading).toBe("old");
    await other.warp.set("k", "new");
    await warp.invalidate({ keys: ["k"] });
    expect(warp.peek("k")).toBeUndefined();
    expect(await warp.get("k")).toBe("new");
  });

  it.each(["keys", "prefix"])("CO3 when it is invalidated on this node only, by %s", async (by) => {
    for (const readAnew of [true, false]) {
      const { warp, other, reading, call } = await readInFlight();
      await other.warp.set("k", "new");
      await warp.invalidateLocal(by === "keys" ? { keys: ["k"] } : { prefix: "" });
      const later = readAnew ? warp.get("k") : undefined;
      await call.answer();
      expect(await reading).toBe("new");
      expect(await (later ?? warp.get("k"))).toBe("new");
      expect(warp.peek("k")).toBe("new");
    }
  });

  it("CO3 when it is invalidated by prefix", async () => {
    const { warp, other, reading, call } = await readInFlight();
    await other.warp.set("k", "new");
    await warp.invalidate({ prefix: "k" });
    await call.answer();
    expect(await reading).toBe("new");
    expect(warp.peek("k")).toBe("new");
  });

  it("CO3 a value read after an invalidation may always enter", async () => {
    const bed = coreBed();
    const { warp } = bed.node({ registrations: local });
    await warp.set("k", 1);
    for (let i = 0; i < 5; i++) {
      await warp.invalidate({ keys: ["k"] });
      await warp.invalidateLocal({ prefix: "" });
      await warp.get("k");
      expect(warp.peek("k")).toBe(1);
    }
    expect(warp.stats().refusedFills).toBe(0);
  });
});

describe("CO4 a node reads its own writes", () => {
  it.each([
    ["set", "mine"],
    ["delete", undefined],
  ] as const)(
    "CO4 a read sent before an own %s and answered after it changes nothing",
    async (op, expected) => {
      const { warp, reading, call } = await readInFlight();
      if (op === "set") await warp.set("k", "mine");
      else await warp.delete("k");
      const after = warp.get("k");
      await call.answer();
      await reading;
      expect(await after).toBe(expected);
      expect(await warp.get("k")).toBe(expected);
      expect(warp.peek("k")).toBe(expected);
    },
  );

  it("CO4 two own writes whose replies overtake each other leave the newer in L1", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: local });
    await warp.get("warm");
    adapter.hold("batch");
    const first = warp.set("k", "first");
    const second = warp.set("k", "second");
    await bed.clock.settle();
    const [a, b] = [adapter.take("batch"), adapter.take("batch")];
    await a.act();
    await b.act();
    await b.answer();
    await second;
    expect(warp.peek("k")).toBe("second");
    await a.answer();
    await first;
    expect(warp.peek("k")).toBe("second");
  });

  it("CO4 the node's own log entries don't cost it the value it wrote", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: statics({ "*": { maxStalenessMs: 100 } }) });
    await warp.get("warm");
    await warp.set("k", 1);
    await bed.clock.advance(101);
    const loads = adapter.count("getMany");
    expect(await warp.get("k")).toBe(1);
    expect(adapter.count("changes")).toBe(1);
    expect(adapter.count("getMany")).toBe(loads);
  });

  it("CO4 a write of unknown fate leaves nothing in L1 that may be older than it", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: local });
    await warp.set("k", "before");
    adapter.hold("getMany");
    await warp.invalidateLocal({ keys: ["k"] });
    const reading = warp.get("k");
    await bed.clock.settle();
    const read = adapter.take("getMany");
    await read.act();
    adapter.release("getMany");
    adapter.hold("batch");
    const writing = warp.set("k", "after");
    await bed.clock.settle();
    const write = adapter.take("batch");
    await write.act();
    write.fail(new WarpError("unavailable", "cut off", { outcome: "unknown" }));
    const error = await writing.catch((thrown: unknown) => thrown as WarpError);
    expect(error).toMatchObject({
      code: "unavailable",
      outcome: "unknown",
      details: { opId: expect.any(String) },
    });
    await read.answer();
    await reading;
    expect(await warp.get("k")).toBe("after");
    expect(warp.peek("k")).toBe("after");
  });

  it("CO4 a repeated write whose first verdict is old does not bring its value back", async () => {
    const bed = coreBed();
    const other = bed.node();
    const { warp } = bed.node({ registrations: local });
    const { opId } = await warp.set("k", "mine");
    await other.warp.set("k", "newer");
    await warp.invalidateLocal({ keys: ["k"] });
    expect((await warp.set("k", "mine", { opId })).replayed).toBe(true);
    expect(await warp.get("k")).toBe("newer");
  });

  it("a write that surely failed costs no copy", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: local });
    await warp.set("k", 1);
    adapter.failing("batch", () => new WarpError("overloaded", "no"));
    expect(await codeOf(warp.set("k", 2))).toBe("overloaded");
    expect(warp.peek("k")).toBe(1);
  });
});

describe("replies that overtake each other leave the newest", () => {
  it.each([true, false])("CO3 of two loads, the newer answered first: %s", async (newerFirst) => {
    const bed = coreBed();
    const other = bed.node();
    await other.warp.set("k", "old");
    const { warp, adapter } = bed.node({ registrations: local });
    await warp.get("warm");
    adapter.hold("getMany");
    const first = warp.get("k");
    await bed.clock.settle();
    const a = adapter.take("getMany");
    await a.act();
    await other.warp.set("k", "new");
    // A local invalidation, so that the second reader loads for itself.
    await warp.invalidateLocal({ keys: ["k"] });
    const second = warp.get("k");
    await bed.clock.settle();
    const b = adapter.take("getMany");
    await b.act();
    adapter.release("getMany");
    for (const call of newerFirst ? [b, a] : [a, b]) {
      await call.answer();
      await bed.clock.settle();
    }
    await first;
    expect(await second).toBe("new");
    expect(await warp.get("k")).toBe("new");
    expect(warp.peek("k")).toBe("new");
  });

  it("CO3 an answer that was taken for lost does not push out the newer copy", async () => {
    const { bed, warp, other, reading, call } = await readInFlight();
    await other.warp.set("k", "new");
    // Nothing tells this node of the change: only the copies' positions do.
    await bed.clock.advance(5_000);
    expect(await warp.get("k")).toBe("new");
    await call.answer();
    expect(await reading).toBe("new");
    expect(warp.peek("k")).toBe("new");
  });

  it("CO3 an answer that found the key absent is overtaken by the write that made it", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: local });
    await warp.get("warm");
    adapter.hold("getMany");
    const reading = warp.get("k");
    await bed.clock.settle();
    const call = adapter.take("getMany");
    await call.act();
    await warp.set("k", "mine");
    await call.answer();
    expect(await reading).toBe("mine");
    expect(warp.peek("k")).toBe("mine");
  });

  it("an answer that keeps being overtaken is given after three rounds, and not kept", async () => {
    const bed = coreBed();
    const { warp, adapter } = bed.node({ registrations: local });
    await bed.node().warp.set("k", "v");
    await warp.get("warm");
    adapter.hold("getMany");
    const reading = warp.get("k");
    let rounds = 0;
    for (; rounds < 10; rounds++) {
      await bed.clock.settle();
      if (adapter.held.length === 0) break;
      const call = adapter.take("getMany");
      await call.act();
      await warp.invalidateLocal({ keys: ["k"] });
      await call.answer();
    }
    expect(rounds).toBe(3);
    expect(await reading).toBe("v");
    expect(warp.peek("k")).toBeUndefined();
  });
});
