import { describe, expect, test } from "vitest";
import { host } from "#host";
import { codeOf } from "../../support/core-bed.ts";
import { NodeBed } from "../../support/node-bed.ts";

/** A real shard, and nodes over sockets to it. */
async function withBed(work: (bed: NodeBed) => Promise<void>): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new NodeBed(sql, {}, { isAdmin: true });
    await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

/** Lets a call over the wire come to its end. */
async function done<T>(bed: NodeBed, call: Promise<T>, ms = 10): Promise<T> {
  await bed.clock.advance(ms);
  return await call;
}

describe("locks of nodes over sockets", () => {
  test("X-14 LK8 a waiter whose connection breaks keeps its place under its ticket, before those who came after it", () =>
    withBed(async (bed) => {
      const [a, b, c] = [bed.node(), bed.node(), bed.node()];
      const held = await done(bed, a.warp.lock("job"));
      const second = b.warp.lock("job", { waitMs: 600_000 });
      await bed.clock.advance(100);
      const third = c.warp.lock("job", { waitMs: 600_000 });
      await bed.clock.advance(30_000);
      b.wire.cut();
      await bed.clock.advance(20_000);
      expect((await done(bed, a.warp.locks.info("job"))).waiters).toBe(2);
      await done(bed, held.release());
      const got = await done(bed, second);
      expect(got.fence).toBeGreaterThan(held.fence);
      await done(bed, got.release());
      expect((await done(bed, third)).fence).toBeGreaterThan(got.fence);
    }));

  test("X-14 a waiter has the lock some round trips after its release", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const held = await done(bed, a.warp.lock("job"));
      const waiting = b.warp.lock("job", { waitMs: 600_000 });
      await bed.clock.advance(10_000);
      const releasing = held.release();
      // 1 ms each way: the release, the offer, the claim and its answer.
      const got = await done(bed, waiting, 4);
      expect(got.remainingMs()).toBeGreaterThan(29_000);
      expect(await releasing).toBe(true);
    }));

  test("X-13 LK11 the lock of a holder that is silent is free after its time, and its signal has fired before", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const held = await done(bed, a.warp.lock("job", { ttlMs: 10_000 }));
      await bed.clock.advance(20_000);
      let lostAtMs = 0;
      held.signal.addEventListener("abort", () => {
        lostAtMs = bed.clock.now();
      });
      a.wire.refusesWith = { code: 1006, reason: "" };
      a.wire.silence();
      const got = await done(bed, b.warp.lock("job", { waitMs: 60_000 }), 11_000);
      expect(lostAtMs).toBeGreaterThan(0);
      expect(held.signal.reason).toMatchObject({ details: { reason: "validity" } });
      expect(got.fence).toBeGreaterThan(held.fence);
      expect(await codeOf(done(bed, b.warp.set("k", 1, { guard: held.guard })))).toBe("stale_fence");
      expect(await codeOf(done(bed, b.warp.set("k", 1, { guard: got.guard })))).toBe("no error");
    }));

  test("LK11 a lock that ends with its session is free at once when the connection ends, and the holder is told", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const tied = await done(bed, a.warp.lock("tied", { endsWithSession: true }));
      const loose = await done(bed, a.warp.lock("loose"));
      const waiting = b.warp.lock("tied", { waitMs: 60_000, endsWithSession: true });
      await bed.clock.advance(1_000);
      a.wire.cut();
      expect(tied.signal.reason).toMatchObject({ details: { reason: "lost" } });
      expect((await done(bed, waiting)).fence).toBeGreaterThan(tied.fence);
      await bed.clock.advance(60_000);
      expect(loose.signal.aborted).toBe(false);
      // What was waited for is tied, too.
      const got = await waiting;
      b.wire.cut();
      expect(got.signal.aborted).toBe(true);
    }));

  test("LK12 a forced end is told over the socket", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const held = await done(bed, a.warp.lock("job"));
      expect(await done(bed, b.warp.locks.force("job"))).toBe(1);
      expect(held.signal.reason).toMatchObject({ details: { reason: "forced" } });
    }));

  test("LK6 a holder keeps its lock through ends of the instance, its renewals go on", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const held = await done(bed, a.warp.lock("job", { ttlMs: 10_000 }));
      for (let round = 0; round < 5; round++) {
        await bed.clock.advance(2_500);
        bed.restart(round % 2 === 0);
        await bed.clock.advance(5_000);
        expect(held.signal.aborted).toBe(false);
        expect(await done(bed, b.warp.tryLock("job"))).toBeUndefined();
      }
      expect(await done(bed, held.release())).toBe(true);
      expect((await done(bed, b.warp.lock("job"))).fence).toBeGreaterThan(held.fence);
    }));

  test("LK10 a wait that is cancelled while its connection is away leaves no place behind when that is back", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const held = await done(bed, a.warp.lock("job"));
      const controller = new AbortController();
      const waiting = codeOf(b.warp.lock("job", { waitMs: 600_000, signal: controller.signal }));
      await bed.clock.advance(1_000);
      b.wire.refusesWith = { code: 1006, reason: "" };
      b.wire.cut();
      controller.abort();
      await bed.clock.advance(10);
      expect(await waiting).toBe("aborted");
      b.wire.refusesWith = undefined;
      await bed.clock.advance(20_000);
      expect((await done(bed, a.warp.locks.info("job"))).waiters).toBe(0);
      await done(bed, held.release());
    }));

  test("CO10 a closed node leaves no timer and no socket behind; its locks end by their time", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const held = await done(bed, a.warp.lock("job", { ttlMs: 5_000 }));
      const waiting = codeOf(a.warp.lock("job", { waitMs: 60_000 }));
      const leasing = await done(bed, a.warp.lease({ ttlMs: 5_000 }));
      await bed.clock.advance(100);
      await a.warp.close();
      expect(await waiting).toBe("warp_closed");
      expect([held, leasing].map(({ signal }) => signal.aborted)).toEqual([true, true]);
      expect(a.wire.lines).toBe(0);
      expect(a.errors).toEqual([]);
      const got = await done(bed, b.warp.lock("job", { waitMs: 60_000, autoRenew: false }), 6_000);
      expect(got.fence).toBeGreaterThan(held.fence);
      expect(await done(bed, b.warp.leases.info(leasing.id))).toBeUndefined();
    }));
});

describe("leases of nodes over sockets", () => {
  test("LE-01 X-16 a lease is kept alive by its node, and revoked from another; nodes that never attached drop their copies", () =>
    withBed(async (bed) => {
      const [a, b, never] = [bed.node(), bed.node(), bed.node()];
      const lease = await done(bed, a.warp.lease({ ttlMs: 1_000 }));
      await done(bed, a.warp.set("k", 1, { lease: lease.id }));
      expect(await done(bed, never.warp.get("k"))).toBe(1);
      await bed.clock.advance(10_000);
      expect(lease.signal.aborted).toBe(false);
      expect((await done(bed, b.warp.leases.keys(lease.id))).keys).toEqual(["k"]);
      expect(await done(bed, never.warp.get("k"))).toBe(1);
      const revoking = b.warp.leases.revoke(lease.id);
      await done(bed, revoking, 100);
      expect(lease.signal.reason).toMatchObject({ code: "lease_not_found", details: { reason: "lost" } });
      expect(never.warp.peek("k")).toBeUndefined();
      expect(await codeOf(done(bed, lease.attach("x")))).toBe("lease_not_found");
    }));

  test("LS2 a lease whose node is gone ends at its time, and its keys with it", () =>
    withBed(async (bed) => {
      const [a, b] = [bed.node(), bed.node()];
      const lease = await done(bed, a.warp.lease({ ttlMs: 2_000, onEnd: "delete" }));
      await done(bed, a.warp.set("k", 1));
      await done(bed, lease.attach("k"));
      await bed.clock.advance(4_000);
      expect(await done(bed, b.warp.get("k"))).toBe(1);
      a.wire.refusesWith = { code: 1006, reason: "" };
      a.wire.cut();
      await bed.clock.advance(3_000);
      expect(lease.signal.reason).toMatchObject({ details: { reason: "validity" } });
      expect(await done(bed, b.warp.get("k"))).toBeUndefined();
    }));
});

describe("elections of nodes over sockets", () => {
  test("LK15 the next leads when the leader's node is gone, and observers see every step", () =>
    withBed(async (bed) => {
      const [a, b, c] = [bed.node(), bed.node(), bed.node()];
      const first = await done(bed, a.warp.election("chief").campaign("a", { ttlMs: 5_000, owner: "a" }));
      const second = b.warp.election("chief").campaign("b", { ttlMs: 5_000, owner: "b" });
      const seen: unknown[] = [];
      const end = new AbortController();
      const observing = (async () => {
        for await (const { kind, owner, value, reason } of c.warp
          .election("chief")
          .observe({ signal: end.signal }))
          seen.push([kind, owner, value ?? reason]);
      })();
      await bed.clock.advance(60_000);
      c.wire.cut();
      await done(bed, first.proclaim("a2"));
      a.wire.refusesWith = { code: 1006, reason: "" };
      a.wire.silence();
      await bed.clock.advance(6_000);
      expect((await second).fence).toBeGreaterThan(first.fence);
      await bed.clock.advance(5_000);
      end.abort();
      await observing;
      expect(seen).toEqual([
        ["elected", "a", "a"],
        ["proclaimed", "a", "a2"],
        ["ended", "a", "expired"],
        ["elected", "b", "b"],
      ]);
      expect(await done(bed, c.warp.election("chief").leader())).toMatchObject({ owner: "b", value: "b" });
    }));
});
