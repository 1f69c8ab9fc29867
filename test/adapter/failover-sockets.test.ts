import { describe, expect, it } from "vitest";
import { host } from "#host";
import { Failover } from "../../src/adapter/failover/failover.ts";
import { memoryFallback } from "../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../src/fallback/memory/memory-streams.ts";
import { openFollower } from "../../src/shard/fallback/follower.ts";
import { NodeBed, type WiredNode } from "../support/node-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

interface Parts {
  readonly bed: NodeBed;
  readonly streams: MemoryStreams;
  readonly node: () => Promise<WiredNode & { readonly failover: Failover }>;
}

async function withNodes(work: (parts: Parts) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const clock = virtualClock();
    const streams = new MemoryStreams(clock);
    const open = () => memoryFallback({ streams, timers: clock });
    const fallbacks = { names: ["memory"], load: async () => ({ openFollower }), open };
    const bed = new NodeBed(sql, {}, { isAdmin: true }, { fallbacks }, { clock });
    await bed.bed.create({ fallback: "memory" });
    let nodes = 0;
    const node = async () => {
      const failover = new Failover({
        fallbacks: { memory: open },
        space: "test",
        node: `node-${++nodes}`,
        clock,
        timers: clock,
        random: seeded(nodes),
        background: { run: (task) => void task.catch((error: unknown) => bed.reported.push(error)) },
      });
      const wired = bed.node({ failover });
      await failover.load();
      return { ...wired, failover };
    };
    await work({ bed, streams, node });
    expect(bed.reported).toEqual([]);
  });
}

async function ended<T>(bed: NodeBed, call: Promise<T>): Promise<T> {
  let over = false;
  const done = call.finally(() => {
    over = true;
  });
  done.catch(() => undefined);
  for (let turn = 0; !over && turn < 3_000; turn++) await bed.clock.advance(10);
  expect(over, "the call has ended").toBe(true);
  return await done;
}

describe("SB8 nodes over sockets", () => {
  it("SB8 a node whose socket is cut goes on by the stream; its hello has the shard apply it before it is welcomed", () =>
    withNodes(async ({ bed, node }) => {
      const { warp, wire, failover } = await node();
      await ended(bed, warp.set("a", 1));
      wire.refusesWith = { code: 1013, reason: "" };
      wire.cut();
      for (let turn = 0; turn < 3; turn++) await ended(bed, warp.get(`x${turn}`)).catch(() => undefined);
      expect(await ended(bed, warp.set("a", 2))).toMatchObject({ provisional: true });
      expect(await ended(bed, warp.getEntry("a"))).toMatchObject({ value: 2, provisional: true });
      const place = failover.around.drain(0);
      expect(place).toBeDefined();
      wire.refusesWith = undefined;
      await bed.clock.advance(40_000);
      // Nobody has called: the welcome alone says that it is applied.
      expect(failover.around.drain(0)).toBeUndefined();
      expect(await ended(bed, warp.getEntry("a"))).toMatchObject({ value: 2, stale: false });
      expect(await bed.bed.text("a")).toBe("2");
    }));

  it("SB8 ST4 strong keys that it held under its lease are unavailable, not stale", () =>
    withNodes(async ({ bed, node }) => {
      const { warp, wire } = await node();
      await ended(bed, warp.register("s:*", { mode: "strong" }));
      await ended(bed, warp.set("s:1", 1));
      for (let turn = 0; turn < 3; turn++) {
        expect(await ended(bed, warp.get("s:1"))).toBe(1);
        await bed.clock.advance(1_000);
      }
      wire.refusesWith = { code: 1013, reason: "" };
      wire.cut();
      for (let turn = 0; turn < 3; turn++) await ended(bed, warp.get(`x${turn}`)).catch(() => undefined);
      for (const call of [() => warp.get("s:1"), () => warp.set("s:1", 2), () => warp.lock("l")]) {
        const error: unknown = await ended(
          bed,
          call().then(() => undefined),
        ).catch((refused: unknown) => refused);
        expect(error, `${call}`).toMatchObject({ code: "unavailable" });
      }
      wire.refusesWith = undefined;
      await bed.clock.advance(40_000);
      expect(await ended(bed, warp.get("s:1"))).toBe(1);
    }));

  it("SB8 a node that can reach the shard all the while hears of what was proposed around it by its pushes", () =>
    withNodes(async ({ bed, node }) => {
      const [cut, whole] = [await node(), await node()];
      await ended(bed, cut.warp.set("a", 1));
      expect(await ended(bed, whole.warp.get("a"))).toBe(1);
      cut.wire.refusesWith = { code: 1013, reason: "" };
      cut.wire.cut();
      for (let turn = 0; turn < 3; turn++) await ended(bed, cut.warp.get(`x${turn}`)).catch(() => undefined);
      await ended(bed, cut.warp.set("a", 2));
      expect(await ended(bed, whole.warp.set("b", 1))).not.toHaveProperty("provisional");
      // The shard looks once a minute where nobody hints.
      await bed.clock.advance(61_000);
      expect(await ended(bed, whole.warp.getEntry("a"))).toMatchObject({ value: 2, stale: false });
      cut.wire.refusesWith = undefined;
      await bed.clock.advance(40_000);
      expect(await ended(bed, cut.warp.get("a"))).toBe(2);
    }));
});
