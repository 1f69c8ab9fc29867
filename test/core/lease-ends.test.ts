import { describe, expect, it } from "vitest";
import { host } from "#host";
import { WarpError } from "../../src/errors.ts";
import { standalone } from "../../src/presets/standalone.ts";
import type { LeaseEndAction } from "../../src/protocol/lease.ts";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import { statics } from "../support/core-bed.ts";
import { NodeBed, type WiredNode } from "../support/node-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const keys = ["s:1", "s:2", "e:1"];

/** A shard and three nodes over sockets; all have read every key and hold copies. One of them has a lease with the keys. */
async function withCopies(
  onEnd: LeaseEndAction,
  work: (bed: NodeBed, nodes: readonly WiredNode[], id: string) => Promise<void>,
): Promise<void> {
  await host.withSql(async (sql) => {
    const registrations = statics({ "s:*": { mode: "strong" }, "e:*": { mode: "eventual" } });
    const bed = new NodeBed(sql, { registrations });
    await bed.bed.create();
    const nodes = [bed.node(), bed.node(), bed.node()];
    const [{ warp }] = nodes as [WiredNode];
    for (const key of keys) await soon(bed, warp.set(key, "v"));
    const lease = await soon(bed, warp.lease({ ttlMs: 3_000, onEnd, autoRenew: false }));
    await soon(bed, lease.attach(keys));
    for (let turn = 0; turn < 3; turn++) {
      for (const node of nodes) for (const key of keys) await soon(bed, node.warp.get(key));
    }
    for (const node of nodes) {
      const before = node.warp.stats().hits;
      for (const key of keys) await soon(bed, node.warp.get(key));
      expect(node.warp.stats().hits - before).toBe(keys.length);
    }
    await work(bed, nodes, lease.id);
    expect(bed.reported).toEqual([]);
    for (const node of nodes) await node.warp.close();
  });
}

async function soon<T>(bed: NodeBed, work: Promise<T>, withinMs = 12_000): Promise<T> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  work.then(end, end);
  for (let ms = 0; ms < withinMs && !isOver; ms++) await bed.clock.advance(1);
  expect(isOver, `still waiting after ${withinMs} ms`).toBe(true);
  return await work;
}

describe("ends of leases as nodes see them", () => {
  for (const way of ["revoke", "expiry"] as const) {
    it(`ST1 LS4 X-16 ${way}: once anyone has seen a strong key gone nobody reads it, attached by whom it may be`, () =>
      withCopies("delete", async (bed, nodes, id) => {
        const [, other, third] = nodes as [WiredNode, WiredNode, WiredNode];
        let isGone = false;
        let reads = 0;
        const look = async ({ warp }: WiredNode): Promise<void> => {
          const wasGone = isGone;
          const value = await warp.get("s:1");
          reads++;
          if (value === undefined) isGone = true;
          else expect(wasGone, "it was gone before this read began").toBe(false);
        };
        let isRevoked = false;
        const revoke = way === "revoke" ? other.warp.leases.revoke(id) : undefined;
        void revoke?.then(() => {
          isRevoked = true;
          isGone = true;
        });
        for (let ms = 0; ms < 6_000; ms++) {
          if (ms % 7 === 0) for (const node of nodes) void look(node);
          await bed.clock.advance(1);
        }
        await revoke;
        expect([isGone, isRevoked]).toEqual([true, way === "revoke"]);
        expect(reads).toBeGreaterThan(1_000);
        for (const { warp } of nodes) {
          for (const key of keys) expect(warp.peek(key)).toBeUndefined();
          for (const key of keys) expect(await soon(bed, warp.get(key))).toBeUndefined();
        }
        expect(await soon(bed, third.warp.leases.info(id))).toBeUndefined();
      }));
  }

  it("LS4 an end that invalidates drops every copy, and what is stored stays", () =>
    withCopies("invalidate", async (bed, nodes, id) => {
      const [, other] = nodes as [WiredNode, WiredNode];
      await soon(bed, other.warp.leases.revoke(id));
      for (const { warp } of nodes)
        expect([warp.peek("s:1"), warp.peek("s:2")]).toEqual([undefined, undefined]);
      await bed.clock.advance(50);
      for (const { warp } of nodes) expect(warp.peek("e:1")).toBeUndefined();
      for (const { warp } of nodes) for (const key of keys) expect(await soon(bed, warp.get(key))).toBe("v");
    }));

  for (const onEnd of ["delete", "invalidate"] as const) {
    it(`CO4 LS4 ${onEnd}: who has revoked a lease reads nothing from before it, with or without a connection`, () =>
      host.withSql(async (sql) => {
        const bed = new NodeBed(sql, { registrations: statics({ "e:*": { mode: "eventual" } }) });
        await bed.bed.create();
        for (const node of [bed.door(), bed.node()]) {
          await soon(bed, node.warp.set("e:1", "v"));
          const lease = await soon(bed, node.warp.lease({ ttlMs: 30_000, onEnd, autoRenew: false }));
          await soon(bed, lease.attach("e:1"));
          await soon(bed, node.warp.get("e:1"));
          expect(node.warp.peek("e:1")).toBeDefined();
          await soon(bed, node.warp.leases.revoke(lease.id));
          expect(node.warp.peek("e:1")).toBeUndefined();
          expect(await soon(bed, node.warp.get("e:1"))).toBe(onEnd === "delete" ? undefined : "v");
        }
      }));
  }

  it("ST3 LS4 a node that is cut off holds a revoke up for one node lease, and serves nothing after it", () =>
    withCopies("delete", async (bed, nodes, id) => {
      const [, other, cut] = nodes as [WiredNode, WiredNode, WiredNode];
      cut.wire.silence();
      const startMs = bed.clock.now();
      await soon(bed, other.warp.leases.revoke(id, { timeoutMs: 12_000 }));
      expect(bed.clock.now() - startMs).toBeLessThan(5_000);
      expect(cut.warp.peek("s:1")).toBeUndefined();
    }));
});

describe("leases and a bus that is broken", () => {
  it("LE-04 a bus that refuses subscriptions keeps nobody from granting, attaching and ending", async () => {
    const clock = virtualClock();
    const parts = {
      clock,
      timers: clock,
      random: seeded(1),
      background: { run: (work: Promise<unknown>) => void work.catch(() => undefined) },
    };
    const refused = (): Promise<never> => Promise.reject(new WarpError("unavailable", "no subscriptions"));
    const bus = memoryBus({ hub: new MemoryBusHub(parts) });
    const calls = new Set<string | symbol>(["subscribe", "subscribeLease", "publish", "publishLeaseEnd"]);
    const broken = new Proxy(bus, {
      get: (target, name) => {
        if (calls.has(name)) return refused;
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const warp = standalone({ host: parts, bus: broken });
    const lease = await warp.lease({ ttlMs: 60_000, onEnd: "delete" });
    await warp.set("k", 1, { lease: lease.id });
    expect((await warp.leases.keys(lease.id)).keys).toEqual(["k"]);
    await warp.leases.revoke(lease.id);
    expect(await warp.get("k")).toBeUndefined();
    await warp.close();
  });
});
