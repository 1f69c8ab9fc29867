import { describe, expect, it } from "vitest";
import { jsonCodec } from "../../src/runtime/codec.ts";
import { testWarp } from "../../src/testing.ts";
import { codeOf, coreBed } from "../support/core-bed.ts";
import { HeldByTest } from "../support/held-locks.ts";

const lock = "nightly";

function guardedBed() {
  const locks = new HeldByTest();
  const bed = coreBed({ locks });
  const { warp } = bed.node();
  return { ...bed, locks, warp, guard: { lock, fence: locks.grant(lock) } };
}

describe("guards", () => {
  it("LK14 X-15 every way to change a key takes one, and is refused once the lock is another's", async () => {
    const { locks, warp, guard } = guardedBed();
    await warp.register("sum:*", { merge: "sum" });
    await warp.register("h:*", { history: { versions: 3 } });
    const scope = warp.scope<number>("s:*");
    const first = await warp.set("h:k", 1);
    await scope.set("id", 1);
    let n = 1;
    const batch = async () => {
      const [result] = await warp.batch([
        { op: "set", key: "b", payload: jsonCodec.encode(1), guard },
        { op: "merge", key: "sum:b", operand: jsonCodec.encode(1), guard },
        { op: "delete", key: "b", guard },
      ]);
      if (result !== undefined && "error" in result) throw Object.assign(new Error(), result.error);
    };
    const setMany = async () => {
      const [done] = await warp.setMany([["m", 1]], { guard });
      if (done?.error !== undefined) throw done.error;
    };
    const ways: Readonly<Record<string, () => Promise<unknown>>> = {
      set: () => warp.set("k", ++n, { guard }),
      merge: () => warp.merge("sum:k", 1, { guard }),
      delete: () => warp.delete("k", { guard }),
      restore: () => warp.restore("h:k", first.version, { guard }),
      cas: async () => warp.cas("c", await warp.get("c"), ++n, { guard }),
      setMany,
      batch,
      "a set of a transaction": () => warp.txn().set("k", ++n, { guard }).commit(),
      "a merge of a transaction": () => warp.txn().merge("sum:k", 1, { guard }).commit(),
      "a delete of a transaction": () => warp.txn().delete("k", { guard }).commit(),
      "a set of a scope": () => scope.set("id", ++n, { guard }),
      "a delete of a scope": () => scope.delete("id", { guard }),
    };
    for (const [name, way] of Object.entries(ways)) {
      expect([name, await codeOf(way())]).toEqual([name, "no error"]);
    }
    locks.grant(lock);
    for (const [name, way] of Object.entries(ways)) {
      expect([name, await codeOf(way())]).toEqual([name, "stale_fence"]);
    }
  });

  it("TX2 LK14 a comparison asks for a lock by its name", async () => {
    const { locks, warp, guard } = guardedBed();
    const run = () =>
      warp.txn().compare(lock, { fence: guard.fence }).set("k", 1).otherwise().get("k").commit();
    expect((await run()).succeeded).toBe(true);
    locks.end(lock);
    expect(await run()).toMatchObject({ succeeded: false, results: [{ op: "get", key: "k", value: 1 }] });
    const orFail = warp.txn().compare(lock, { fence: guard.fence }).set("k", 2);
    expect(await codeOf(orFail.commit({ orFail: true }))).toBe("precondition_failed");
  });

  it("LK14 TX5 what is malformed is thrown before anything is sent", async () => {
    const { warp, guard } = guardedBed();
    expect(await codeOf(warp.set("k", 1, { guard: { ...guard, fence: 0 } }))).toBe("invalid_argument");
    expect(await codeOf(warp.delete("k", { guard: { ...guard, lock: "" } }))).toBe("invalid_lock");
    expect(() => warp.txn().set("k", 1, { guard: { lock: "", fence: 1 } })).toThrow("name");
    expect(() => warp.txn().compare("", { fence: 1 })).toThrow("name");
    expect(() => warp.txn().compare(lock, { fence: 1.5 })).toThrow("fence");
    expect(() => warp.txn().compare(lock, { fence: 1, exists: true } as never)).toThrow("exactly one");
  });

  it("CO4 LK14 a refused write leaves this node with what is stored", async () => {
    const { locks, warp, guard } = guardedBed();
    await warp.set("k", "stored");
    expect(await warp.get("k")).toBe("stored");
    locks.end(lock);
    expect(await codeOf(warp.set("k", "late", { guard }))).toBe("stale_fence");
    expect(await warp.get("k")).toBe("stored");
  });
});

describe("a guard of a lock that warp.lock gave", () => {
  it("LK14 X-15 a holder that was paused past its time has lost it, is refused, and the next has the lock", async () => {
    const { nodes, clock } = testWarp({ nodes: 2 });
    const [one, other] = nodes;
    if (one === undefined || other === undefined) throw new Error("two nodes");
    const first = await one.lock("nightly", { ttlMs: 10_000, autoRenew: false });
    await one.set("report", "first", { guard: first.guard });
    const waiting = other.lock("nightly", { ttlMs: 10_000, waitMs: 60_000 });
    // The holder sleeps on; the clock does not.
    await clock.advance(11_000);
    const second = await waiting;
    expect(second.fence).toBeGreaterThan(first.fence);
    expect(first.signal.aborted).toBe(true);
    expect(await codeOf(one.set("report", "late", { guard: first.guard }))).toBe("stale_fence");
    await other.set("report", "second", { guard: second.guard });
    expect(await codeOf(one.delete("report", { guard: first.guard }))).toBe("stale_fence");
    expect(await other.get("report")).toBe("second");
    await second.release();
    expect(await codeOf(other.set("report", "after", { guard: second.guard }))).toBe("stale_fence");
  });
});
