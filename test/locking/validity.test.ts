import { describe, expect, test } from "vitest";
import { isWarpError } from "../../src/errors.ts";
import type { Lock } from "../../src/locking/lock-handle.ts";
import { handleBed } from "../support/handle-bed.ts";

/** What the signals of a lock said, one entry for each time. */
function reasonsOf(lock: Lock): unknown[] {
  const reasons: unknown[] = [];
  const { signal } = lock;
  signal.addEventListener("abort", () => {
    const { reason } = signal;
    reasons.push(isWarpError(reason, "lock_lost") ? reason.details?.reason : reason);
  });
  return reasons;
}

describe("how long a holder may count on its lock", () => {
  test("LK7 it is valid from the sending of the granting request on, less one per cent, however late the answer", async () => {
    const { clock, ...bed } = handleBed();
    const { way, lock } = bed.node();
    way.latencyMs = 400;
    const sentAtMs = clock.now();
    const acquiring = lock("a", { ttlMs: 10_000 });
    await clock.advance(400);
    const held = await acquiring;
    expect(held.validUntilMs).toBe(sentAtMs + 9_900);
    expect(held.remainingMs()).toBe(9_500);
  });

  test("LK7 a lost answer does not lengthen it: the repeat counts from the first sending", async () => {
    const { clock, ...bed } = handleBed();
    const { way, lock } = bed.node();
    way.faults.push({ what: "acquire", how: "answer" });
    const sentAtMs = clock.now();
    const acquiring = lock("a", { ttlMs: 60_000, autoRenew: false });
    await clock.advance(5_000);
    const held = await acquiring;
    expect(way.sent.length).toBe(2);
    // What was left when the repeat was answered, counted from the first sending: a little less than there is.
    expect(held.validUntilMs).toBeLessThanOrEqual(sentAtMs + 59_400);
    expect(held.validUntilMs).toBeGreaterThan(sentAtMs + 54_000);
  });

  test("LK7 the signal fires once, with its reason, when nothing answers any more", async () => {
    const { clock, ...bed } = handleBed();
    const { way, lock } = bed.node();
    const held = await lock("a", { ttlMs: 9_000 });
    const reasons = reasonsOf(held);
    way.isCut = true;
    await clock.advance(8_909);
    expect(reasons).toEqual([]);
    expect(held.remainingMs()).toBeGreaterThan(0);
    await clock.advance(1);
    expect(reasons).toEqual(["validity"]);
    expect(held.remainingMs()).toBe(0);
    way.isCut = false;
    await clock.advance(60_000);
    expect(reasons).toEqual(["validity"]);
  });

  test("LK7 a holder that stood still finds its signal fired at its first look, before any timer", async () => {
    const { clock, ...bed } = handleBed();
    const { lock } = bed.node();
    const held = await lock("a", { ttlMs: 1_000 });
    // A process that was stopped: time has passed, and no timer has run.
    clock.forget();
    await clock.advance(5_000);
    expect(held.signal.aborted).toBe(true);
    expect(held.remainingMs()).toBe(0);
    await expect(held.renew()).rejects.toMatchObject({ code: "lock_lost", details: { reason: "validity" } });
  });

  for (const rate of [0.99, 1.01]) {
    test(`LK7 the signal fires before another can be granted, on a host whose clock runs at ${rate}`, async () => {
      const { clock, ...bed } = handleBed();
      const node = bed.node({ rate });
      node.way.latencyMs = 10;
      const acquiring = node.lock("a", { ttlMs: 10_000 });
      await clock.advance(10);
      const held = await acquiring;
      let lostAtMs = 0;
      held.signal.addEventListener("abort", () => {
        lostAtMs = clock.now();
      });
      // Renewals hold it for a while, then nothing answers.
      await clock.advance(30_000);
      expect(lostAtMs).toBe(0);
      node.way.isCut = true;
      let grantedAtMs = 0;
      const next = bed.node();
      const waiting = next.lock("a", { waitMs: 60_000 }).then(() => {
        grantedAtMs = clock.now();
      });
      await clock.advance(20_000);
      await waiting;
      expect(lostAtMs).toBeGreaterThan(0);
      expect(lostAtMs).toBeLessThan(grantedAtMs);
      // Not much earlier either: it is a margin of one per cent, and a third that was to be renewed.
      expect(grantedAtMs - lostAtMs).toBeLessThan(500);
    });
  }

  test("LK12 a forced end is told at once, and nothing is renewed or released any more", async () => {
    const bed = handleBed();
    const { way, lock } = bed.node();
    const held = await lock("a");
    const reasons = reasonsOf(held);
    await bed.force("a");
    expect(reasons).toEqual(["forced"]);
    expect(await held.release()).toBe(false);
    expect(way.kinds()).toEqual(["acquire"]);
  });

  test("LK5 what the authority has ended is lost at the next renewal, with the authority's reason", async () => {
    const { clock, ...bed } = handleBed();
    const { way, lock } = bed.node();
    const held = await lock("a", { ttlMs: 9_000 });
    const reasons = reasonsOf(held);
    // Nobody tells: the way is cut just then.
    way.isCut = true;
    await bed.force("a");
    way.isCut = false;
    expect(reasons).toEqual([]);
    await clock.advance(3_000);
    expect(reasons).toEqual(["forced"]);
  });

  test("LK7 it is also lost where the answer says that it is another's", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    const held = await lock("a");
    const reasons = reasonsOf(held);
    way.tell({ name: "b", fence: held.fence, reason: "expired" });
    way.tell({ name: "a", fence: held.fence + 1, reason: "expired" });
    expect(reasons).toEqual([]);
    way.tell({ name: "a", fence: held.fence, reason: "session" });
    expect(reasons).toEqual(["lost"]);
    await clock.settle();
  });
});
