import { describe, expect, test } from "vitest";
import { handleBed } from "../support/handle-bed.ts";

/** The code of the error that something ends with, or what it gives. */
function outcomeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "done",
    (error: { code?: string }) => error.code ?? String(error),
  );
}

describe("waiting for a lock", () => {
  test("X-14 who waits on one node gets the lock as soon as another node releases it", async () => {
    const { clock, ...bed } = handleBed();
    const a = bed.node();
    const b = bed.node();
    const held = await a.lock("x");
    const waiting = b.lock("x", { waitMs: 60_000 });
    await clock.advance(10_000);
    const releasedAtMs = clock.now();
    await held.release();
    const got = await waiting;
    expect(clock.now()).toBe(releasedAtMs);
    expect(got.fence).toBeGreaterThan(held.fence);
    expect(b.way.kinds()).toEqual(["acquire", "wait", "claim"]);
    expect(got.remainingMs()).toBe(29_700);
  });

  test("X-13 who waits gets the lock of a holder that died, when its time has passed", async () => {
    const { clock, ...bed } = handleBed();
    const dead = bed.node();
    await dead.lock("x", { ttlMs: 5_000 });
    dead.way.isCut = true;
    const waits = [bed.node(), bed.node()].map((node) => node.lock("x", { ttlMs: 5_000, waitMs: 60_000 }));
    await clock.advance(5_000);
    const first = await waits[0];
    expect(first?.remainingMs()).toBeGreaterThan(0);
    await first?.release();
    expect((await waits[1])?.fence).toBeGreaterThan(first?.fence ?? 0);
  });

  test("LK8 a long wait is several polls under one ticket; a way that fails in between costs no place", async () => {
    const { clock, ...bed } = handleBed();
    const held = await bed.node().lock("x");
    const first = bed.node();
    const second = bed.node();
    const got: string[] = [];
    const one = first.lock("x", { waitMs: 600_000 }).then((lock) => {
      got.push("first");
      return lock;
    });
    await clock.settle();
    const other = second.lock("x", { waitMs: 600_000 }).then((lock) => {
      got.push("second");
      return lock;
    });
    await clock.advance(60_000);
    expect(first.way.kinds()).toEqual(["acquire", "wait", "wait", "wait"]);
    // The first one's connection breaks, and comes again: within the time that a place is kept.
    first.way.faults.push({ what: "wait", how: "refuse", times: 4 });
    await clock.advance(30_000);
    expect(first.way.faults).toEqual([]);
    await held.release();
    await (await one).release();
    await (await other).release();
    expect(got).toEqual(["first", "second"]);
    expect(new Set(first.way.sent.flatMap((sent) => ("ticket" in sent ? sent.ticket : []))).size).toBe(1);
  });

  test("LK9 a waiter that was silent when its turn came is passed over, and is next when it is back", async () => {
    const { clock, ...bed } = handleBed();
    const held = await bed.node().lock("x");
    const away = bed.node();
    const there = bed.node();
    const one = away.lock("x", { waitMs: 600_000 });
    await clock.settle();
    const other = there.lock("x", { waitMs: 600_000 });
    await clock.advance(1_000);
    // Its answers don't come any more, so its offer is not claimed.
    away.way.isCut = true;
    await held.release();
    await clock.advance(3_000);
    const got = await other;
    await clock.advance(20_000);
    away.way.isCut = false;
    await clock.advance(20_000);
    await got.release();
    await clock.advance(1_000);
    expect((await one).fence).toBeGreaterThan(got.fence);
  });

  test("LK9 a claim that comes too late is no end: the waiter keeps its place, and claims what it is offered next", async () => {
    const { clock, ...bed } = handleBed();
    const held = await bed.node().lock("x");
    const { lock, way } = bed.node();
    const waiting = lock("x", { waitMs: 600_000 });
    await clock.advance(1_000);
    way.faults.push({ what: "claim", how: "request" });
    await held.release();
    await clock.advance(10_000);
    expect((await waiting).remainingMs()).toBeGreaterThan(0);
    expect(way.kinds()).toEqual(["acquire", "wait", "claim", "claim", "wait", "claim"]);
  });

  test("LK-03 a wait ends with lock_held at its own end, and leaves no place behind", async () => {
    const { clock, ...bed } = handleBed();
    const held = await bed.node().lock("x");
    const { lock, way } = bed.node();
    const beganAtMs = clock.now();
    let endedAtMs = 0;
    const waiting = outcomeOf(lock("x", { waitMs: 40_000 })).finally(() => {
      endedAtMs = clock.now();
    });
    await clock.advance(50_000);
    expect(await waiting).toBe("lock_held");
    expect(endedAtMs - beganAtMs).toBeLessThanOrEqual(40_000);
    expect(await bed.space.info("x")).toMatchObject({ waiters: 0 });
    expect(way.kinds().filter((kind) => kind === "wait").length).toBe(2);
    await held.release();
  });

  test("OU3 a wait that ends while nobody answers says so, not that it is held", async () => {
    const { clock, ...bed } = handleBed();
    await bed.node().lock("x");
    const { lock, way } = bed.node();
    const waiting = outcomeOf(lock("x", { waitMs: 10_000 }));
    await clock.advance(1_000);
    way.isCut = true;
    await clock.advance(12_000);
    expect(await waiting).toBe("deadline_exceeded");
  });

  test("LK10 a cancelled wait leaves the queue, and is aborted at once", async () => {
    const { clock, ...bed } = handleBed();
    const held = await bed.node().lock("x");
    const { lock, way } = bed.node();
    const controller = new AbortController();
    const waiting = outcomeOf(lock("x", { waitMs: 60_000, signal: controller.signal }));
    await clock.advance(1_000);
    expect(bed.space.info("x").waiters).toBe(1);
    controller.abort();
    await clock.settle();
    expect(await waiting).toBe("aborted");
    expect(bed.space.info("x").waiters).toBe(0);
    expect(way.kinds().at(-1)).toBe("cancel");
    await held.release();
    expect(bed.space.info("x").holders).toEqual([]);
  });

  test("LK10 what was offered or claimed while its waiter gave up is released", async () => {
    for (const at of ["offer", "claim"] as const) {
      const { clock, ...bed } = handleBed();
      const held = await bed.node().lock("x");
      const { lock, way } = bed.node();
      const controller = new AbortController();
      const waiting = outcomeOf(lock("x", { waitMs: 60_000, signal: controller.signal }));
      await clock.advance(1_000);
      way.latencyMs = 100;
      if (at === "claim") way.faults.push({ what: "claim", how: "answer", times: 99 });
      await held.release();
      await clock.advance(at === "claim" ? 200 : 20);
      expect(bed.space.info("x").holders.length).toBe(1);
      controller.abort();
      await clock.advance(500);
      expect(await waiting, at).toBe("aborted");
      expect(bed.space.info("x").holders, at).toEqual([]);
    }
  });

  test("LK10 an acquisition whose answer was lost is asked again behind, and given back", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    const controller = new AbortController();
    way.faults.push({ what: "acquire", how: "answer" });
    const acquiring = outcomeOf(lock("x", { ttlMs: 3_600_000, signal: controller.signal }));
    await clock.advance(100);
    expect(bed.space.info("x").holders.length).toBe(1);
    controller.abort();
    await clock.settle();
    expect(await acquiring).toBe("aborted");
    expect(bed.space.info("x").holders).toEqual([]);
    // The first release takes the op id, to no effect: it is not free any more.
    expect(way.kinds()).toEqual(["acquire", "release", "acquire", "release"]);
    const [one, , other] = way.sent;
    expect(one).toEqual(other);
  });

  test("LK10 an acquisition that never arrived does not arrive later either: nothing is acquired to give it back", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way, locks } = bed.node();
    const controller = new AbortController();
    way.faults.push({ what: "acquire", how: "request" });
    const acquiring = outcomeOf(lock("x", { ttlMs: 3_600_000, signal: controller.signal }));
    await clock.advance(100);
    controller.abort();
    await clock.settle();
    expect(await acquiring).toBe("aborted");
    expect(way.kinds()).toEqual(["acquire", "release"]);
    // A copy that was on its way all the time.
    const [late] = way.sent;
    if (late?.kind !== "acquire") throw new Error("no acquisition");
    expect(await locks.run([late])).toMatchObject([{ outcome: "fail", error: { code: "op_id_reused" } }]);
    expect(bed.space.info("x").holders).toEqual([]);
  });

  test("OU1 an authority that is silent for too long is an unknown outcome, and the lock does not stay behind", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    way.faults.push({ what: "acquire", how: "answer", times: 4 });
    const acquiring = lock("x", { ttlMs: 3_600_000, timeoutMs: 2_000 }).catch((error: unknown) => error);
    await clock.advance(2_000);
    expect(await acquiring).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
    way.faults.splice(0);
    await clock.advance(10_000);
    expect(bed.space.info("x").holders).toEqual([]);
    expect(new Set(way.sent.flatMap((sent) => (sent.kind === "acquire" ? sent.opId : []))).size).toBe(1);
  });

  test("a place that was forgotten is asked for anew, for the rest of the wait", async () => {
    const { clock, ...bed } = handleBed();
    const held = await bed.node().lock("x");
    const { lock, way } = bed.node();
    const waiting = lock("x", { waitMs: 600_000 });
    await clock.advance(1_000);
    way.isCut = true;
    // Longer than a silent waiter is remembered.
    await clock.advance(150_000);
    expect(bed.space.info("x").waiters).toBe(0);
    way.isCut = false;
    await clock.advance(50_000);
    await held.release();
    await clock.advance(1_000);
    expect((await waiting).remainingMs()).toBeGreaterThan(0);
    expect(way.kinds().filter((kind) => kind === "acquire").length).toBe(2);
  });

  test("LK7 a grant that was answered too late to be counted on is renewed before it is given", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    way.faults.push({ what: "acquire", how: "answer", times: 2 });
    const acquiring = lock("x", { ttlMs: 10_000, autoRenew: false });
    await clock.advance(9_000);
    const held = await acquiring;
    expect(way.kinds()).toContain("renew");
    expect(held.remainingMs()).toBeGreaterThan(5_000);
  });

  test("LK7 a grant that could not be counted on when it was known is not given, and given back", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    // The way there and back takes longer than the lock lives.
    way.latencyMs = 300;
    const acquiring = lock("x", { ttlMs: 200 }).catch((error: unknown) => error);
    await clock.advance(2_000);
    expect(await acquiring).toMatchObject({ code: "lock_lost", outcome: "fail" });
    expect(bed.space.info("x").holders).toEqual([]);
  });

  test("LK13 bad input is refused before anything is sent", async () => {
    const bed = handleBed();
    const { lock, way } = bed.node();
    expect(await outcomeOf(lock("", {}))).toBe("invalid_lock");
    expect(await outcomeOf(lock("x".repeat(513)))).toBe("invalid_lock");
    expect(await outcomeOf(lock("x", { owner: "" }))).toBe("invalid_lock");
    expect(await outcomeOf(lock("x", { ttlMs: 99 }))).toBe("invalid_ttl");
    expect(await outcomeOf(lock("x", { waitMs: -1 }))).toBe("invalid_argument");
    expect(await outcomeOf(lock("x", { waitMs: 3_600_001 }))).toBe("invalid_argument");
    expect(await outcomeOf(lock("x", { ttlMs: 1_000, maxLifeMs: 999 }))).toBe("invalid_argument");
    expect(await outcomeOf(lock("x", { kind: "reentrant" }))).toBe("invalid_argument");
    expect(await outcomeOf(lock("x", { kind: "semaphore", permits: 0 }))).toBe("invalid_argument");
    expect(await outcomeOf(lock("x", { timeoutMs: 0 }))).toBe("invalid_argument");
    expect(await outcomeOf(lock("x", { signal: AbortSignal.abort() }))).toBe("aborted");
    expect(way.sent).toEqual([]);
  });
});
