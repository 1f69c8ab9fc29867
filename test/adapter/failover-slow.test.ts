import { describe, expect, it } from "vitest";
import { host } from "#host";
import { memoryBacking } from "../../src/backing/memory/memory-backing.ts";
import type { MemoryFaults } from "../../src/backing/memory/memory-faults.ts";
import { CircuitBreaker } from "../../src/runtime/circuit-breaker.ts";
import { memoryRegistry } from "../support/backed-shard.ts";
import { FailoverBed } from "../support/failover-bed.ts";
import { bringBack, cutOff, ended, withFailover } from "../support/failover-scene.ts";
import { virtualClock } from "../support/virtual-clock.ts";

describe("SB8 a shard that is slow, but there", () => {
  it("SB8 ST2 a storage behind it that is away does not make it count as away: strong keys and write-through go on", () =>
    host.withSql(async (sql) => {
      const clock = virtualClock();
      let faults: MemoryFaults = () => undefined;
      const open = () => memoryBacking({ clock, timers: clock, faults: (call) => faults(call) });
      const bed = new FailoverBed(sql, { clock, backings: memoryRegistry(open) });
      await bed.create({ storage: { name: "memory", write: "through" } });
      const node = await bed.node();
      await ended(bed, node.warp.register("s:*", { mode: "strong" }));
      await ended(bed, node.warp.set("a", 1));
      await ended(bed, node.warp.set("s:1", 1));
      node.delayMs = () => 5;
      faults = () => ({ beforeMs: 60_000, lose: "before" });
      const writes = [1, 2, 3, 4, 5].map((n) => node.warp.set(`k${n}`, n));
      const reads = [1, 2, 3, 4, 5].map((n) => node.warp.get(`none:${n}`).catch((error) => error.code));
      for (const write of writes) {
        const done = await ended(bed, write);
        expect(done).toMatchObject({ version: expect.any(Number), storage: "pending" });
        expect(done.provisional).toBeUndefined();
      }
      for (const read of reads) expect(await ended(bed, read)).toMatch(/^storage_/);
      expect(node.failover?.way?.isTaken("k1")).toBe(false);
      expect(await ended(bed, node.warp.set("s:1", 2))).toMatchObject({ storage: "pending" });
      expect(node.warp.stats().provisional).toBe(0);
      expect(bed.reported).toEqual([]);
    }));

  it("SB8 it is found to be back though each answer takes longer than until the next call may try", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      await ended(bed, node.warp.set("a", 0));
      await cutOff(bed, node);
      node.reach = "up";
      node.delayMs = () => 700;
      const calls: Promise<unknown>[] = [];
      for (let n = 0; n < 60; n++) {
        calls.push(node.warp.set("a", n));
        await bed.clock.advance(100);
      }
      for (const call of calls) await ended(bed, call);
      expect(node.failover?.way?.isTaken("a")).toBe(false);
      expect(await ended(bed, node.warp.set("a", 60))).not.toHaveProperty("provisional");
    }));
});

describe("SB8 a repeat of what the shard has carried out", () => {
  it("SB8 OU2 is read, marked, as if it came last while the shard is away, and has no second effect", () =>
    withFailover(async (bed) => {
      const node = await bed.node();
      const { opId } = await ended(bed, node.warp.set("a", 1));
      await ended(bed, node.warp.set("a", 2));
      await cutOff(bed, node);
      expect(await ended(bed, node.warp.set("a", 1, { opId }))).toMatchObject({ provisional: true });
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({
        value: 1,
        stale: true,
        provisional: true,
      });
      await bringBack(bed, node);
      expect(await ended(bed, node.warp.getEntry("a"))).toMatchObject({ value: 2, stale: false });
      expect(await bed.usage()).toMatchObject({ applied: 1, repeated: 1 });
    }));
});

describe("a circuit breaker", () => {
  it("SB8 is closed by an answer to any try since it opened, and not by one from before", () => {
    let nowMs = 0;
    const breaker = new CircuitBreaker({ clock: { now: () => nowMs }, threshold: 1, openMs: 1_000 });
    const before = breaker.enter();
    breaker.enter().failed();
    nowMs = 1_000;
    const first = breaker.enter();
    nowMs = 2_000;
    const second = breaker.enter();
    before.succeeded();
    expect(breaker.state).toBe("half-open");
    second.failed();
    first.succeeded();
    expect(breaker.state, "it has failed since").toBe("open");
    nowMs = 3_000;
    const third = breaker.enter();
    nowMs = 4_000;
    const fourth = breaker.enter();
    third.succeeded();
    expect(breaker.state).toBe("closed");
    fourth.failed();
    expect(breaker.state).toBe("closed");
  });
});
