import { describe, expect, test } from "vitest";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { WarpError } from "../../src/errors.ts";
import { MemoryLeaseSpace } from "../../src/lease/memory/memory-lease-space.ts";
import { memoryLeases } from "../../src/lease/memory/memory-leases.ts";
import { grantLease, type LeaseHost } from "../../src/locking/lease-handle.ts";
import { observe } from "../../src/locking/observation.ts";
import type { ElectionEvent } from "../../src/protocol/lock.ts";
import { scopeOpId } from "../../src/protocol/operation.ts";
import { payloadCodec } from "../../src/runtime/codec.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { handleBed } from "../support/handle-bed.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";

const codeOf = (error: { code?: string }): unknown => error.code ?? String(error);

describe("giving back what could not be counted on", () => {
  test("LK10 a re-entrant claim that came too late is given back once: the owner's other handle stays", async () => {
    const { clock, ...bed } = handleBed();
    const [x, b, c] = [bed.node(), bed.node(), bed.node()];
    const holder = await x.lock("r", { owner: "x", kind: "reentrant" });
    const options = { owner: "o", kind: "reentrant", ttlMs: 9_000 } as const;
    const late = b.lock("r", { ...options, waitMs: 60_000 }).catch(codeOf);
    await clock.advance(1_000);
    // Claimed, but not answered; and when the repeat is, no renewal gets through.
    b.way.faults.push(
      { what: "claim", how: "answer", times: 1 },
      { what: "renew", how: "refuse", times: 999 },
    );
    await holder.release();
    await clock.advance(1_000);
    const other = await c.lock("r", options);
    expect(bed.space.info("r").holders).toMatchObject([{ owner: "o", count: 2 }]);
    await clock.advance(30_000);
    expect(await late).toBe("unavailable");
    expect(bed.space.info("r").holders).toMatchObject([{ owner: "o", count: 1, fence: other.fence }]);
    await other.confirm();
    expect(await other.release()).toBe(true);
  });

  test("LK5 a grant that ended before its answer came is none: asked for again in the wait, else lock_lost", async () => {
    const { clock, ...bed } = handleBed();
    for (const waitMs of [0, 60_000]) {
      const { lock, way } = bed.node();
      way.faults.push({ what: "acquire", how: "answer" });
      const acquiring = lock("a", { waitMs }).then(
        (held) => held.fence,
        (error: { code?: string }) => codeOf(error),
      );
      await clock.advance(500);
      const [first] = bed.space.info("a").holders;
      await bed.force("a");
      await clock.advance(10_000);
      const outcome = await acquiring;
      if (waitMs === 0) expect(outcome).toBe("lock_lost");
      else expect(outcome).toBeGreaterThan(first?.fence ?? 0);
    }
  });

  test("OU2 a release is repeated also when its op id counts no more, unless that could release twice", async () => {
    const { clock, ...bed } = handleBed();
    const node = bed.node();
    const long = { ttlMs: 3_600_000, autoRenew: false } as const;
    const held = await node.lock("a", long);
    const entered = await node.lock("r", { ...long, kind: "reentrant", owner: "o" });
    node.way.faults.push({ what: "release", how: "request", times: 99 });
    for (const lock of [held, entered]) {
      const failed = lock.release({ timeoutMs: 1_000 }).catch(codeOf);
      await clock.advance(1_000);
      expect(await failed).toBe("deadline_exceeded");
    }
    node.way.faults.splice(0);
    await clock.advance(400_000);
    expect(await held.release()).toBe(true);
    expect(bed.space.info("a").holders).toEqual([]);
    // Whether the first one was carried out is not known: another would end what a second handle has.
    expect(await entered.release().catch(codeOf)).toBe("op_id_expired");
    expect(bed.space.info("r").holders).toMatchObject([{ count: 1 }]);
  });
});

describe("nodes and their memory", () => {
  test("CO10 a closed node asks for nothing any more", async () => {
    const { clock, ...bed } = handleBed();
    const node = bed.node();
    node.holdings.close();
    expect(await node.lock("a").catch(codeOf)).toBe("warp_closed");
    await clock.settle();
    expect(node.way.sent).toEqual([]);
    expect(node.way.listeners).toBe(0);
  });

  test("an end that was told before a lock was asked for is another life's, though name and fence are the same", async () => {
    const { clock, ...bed } = handleBed();
    const node = bed.node();
    const first = await node.lock("a");
    // As where the space was deleted: the next life begins with the same fences.
    node.way.tell({ name: "b", fence: first.fence + 1, reason: "forced" });
    await clock.advance(1_000);
    const next = await node.lock("b");
    expect(next.fence).toBe(first.fence + 1);
    expect(next.signal.aborted).toBe(false);
  });
});

describe("observing an election", () => {
  test("LK15 a gap is told with the next step where nobody led at that time", async () => {
    const step = (revision: number): ElectionEvent => ({
      revision,
      kind: "elected",
      owner: `o${revision}`,
      fence: revision,
    });
    const pages = [
      { events: [step(3)], cursor: "aaaaaaaaaaaaaaaa.3", gap: false },
      { events: [], cursor: "bbbbbbbbbbbbbbbb.9", gap: true },
      { events: [step(12), step(14)], cursor: "bbbbbbbbbbbbbbbb.14", gap: false },
    ];
    const clock = virtualClock();
    const host = {
      timers: clock,
      random: seeded(1),
      observe: () =>
        Promise.resolve(pages.shift() ?? { events: [step(20)], cursor: "bbbbbbbbbbbbbbbb.20", gap: false }),
    };
    const seen: unknown[] = [];
    for await (const { revision, gap } of observe(host, "chief", payloadCodec, {})) {
      seen.push([revision, gap]);
      if (seen.length === 4) break;
    }
    expect(seen).toEqual([
      [3, false],
      [12, true],
      [14, false],
      [20, false],
    ]);
  });
});

describe("revoking a lease", () => {
  test("OU2 a revoke is repeated also when its op id counts no more", async () => {
    const clock = virtualClock();
    const random = seeded(1);
    const space = new MemoryLeaseSpace({ clock, timers: clock });
    const storage = new MemoryStorage({ clock, timers: clock, random, leases: space });
    const driver = memoryLeases({ space });
    let isCut = false;
    const host: LeaseHost = {
      elapsed: clock,
      timers: clock,
      random,
      background: { run: (work) => void work.catch(() => undefined) },
      opId: () => scopeOpId("node", uuidv7(clock, random)),
      onError: () => undefined,
      calls: {
        async run(commands, limits) {
          if (!isCut) return await driver.run(commands, limits);
          throw new WarpError("unavailable", "the way is closed", { outcome: "unknown" });
        },
      },
    };
    const lease = await grantLease(host, { ttlMs: 3_600_000, autoRenew: false });
    isCut = true;
    const failed = lease.revoke({ timeoutMs: 1_000 }).catch(codeOf);
    await clock.advance(1_000);
    expect(await failed).toBe("unavailable");
    isCut = false;
    await clock.advance(400_000);
    expect(await lease.revoke()).toBe(true);
    expect(space.info(lease.id)).toBeUndefined();
    expect(storage).toBeDefined();
  });
});
