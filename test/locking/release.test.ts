import { describe, expect, test } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { whileHeld } from "../../src/locking/lock-handle.ts";
import { handleBed } from "../support/handle-bed.ts";

describe("giving a lock back", () => {
  test("await using releases at the end of the block, however it is left", async () => {
    const bed = handleBed();
    const { lock } = bed.node();
    {
      await using held = await lock("a");
      expect(bed.space.info("a").holders[0]?.fence).toBe(held.fence);
    }
    expect(bed.space.info("a").holders).toEqual([]);
    const failing = async (): Promise<void> => {
      await using _ = await lock("a");
      throw new Error("the work failed");
    };
    await expect(failing()).rejects.toThrow("the work failed");
    expect(bed.space.info("a").holders).toEqual([]);
  });

  test("a second release is the first one's answer, and the signal does not fire", async () => {
    const bed = handleBed();
    const { lock, way } = bed.node();
    const held = await lock("a");
    const released = [held.release(), held.release()];
    expect(await Promise.all(released)).toEqual([true, true]);
    expect(await held.release()).toBe(true);
    expect(way.kinds()).toEqual(["acquire", "release"]);
    expect(held.signal.aborted).toBe(false);
    expect(held.remainingMs()).toBe(0);
    await expect(held.renew()).rejects.toMatchObject({ code: "lock_lost", details: { reason: "released" } });
  });

  test("OU2 a release that was not answered is repeated under its op id, also by a further call", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way, errors } = bed.node();
    const held = await lock("a", { ttlMs: 600_000 });
    way.faults.push({ what: "release", how: "answer", times: 3 });
    const releasing = held.release({ timeoutMs: 1_000 }).catch((error: { code: string }) => error.code);
    await clock.advance(1_000);
    expect(await releasing).toBe("deadline_exceeded");
    way.faults.splice(0);
    expect(await held.release()).toBe(true);
    const ids = new Set(way.sent.flatMap((sent) => (sent.kind === "release" ? sent.opId : [])));
    expect(ids.size).toBe(1);
    expect(errors).toEqual([]);
  });

  test("a lock whose validity has passed is still released, if the authority has it", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    const held = await lock("a", { ttlMs: 10_000 });
    way.faults.push({ what: "renew", how: "answer", times: 99 });
    // Renewals arrive, their answers don't: here it is lost, there it is held.
    await clock.advance(9_950);
    expect(held.signal.aborted).toBe(true);
    expect(bed.space.info("a").holders.length).toBe(1);
    expect(await held.release()).toBe(false);
    expect(bed.space.info("a").holders).toEqual([]);
  });

  test("LK13 a re-entrant lock has a handle for each acquisition, and is free after the last release", async () => {
    const bed = handleBed();
    const { lock } = bed.node();
    const options = { kind: "reentrant", owner: "me" } as const;
    const outer = await lock("a", options);
    const inner = await lock("a", options);
    expect(inner.fence).toBe(outer.fence);
    expect(await inner.release()).toBe(true);
    expect(outer.remainingMs()).toBeGreaterThan(0);
    expect(bed.space.info("a").holders.length).toBe(1);
    expect(await outer.release()).toBe(true);
    expect(bed.space.info("a").holders).toEqual([]);
  });

  test("LK12 both handles of a re-entrant lock hear of its end", async () => {
    const bed = handleBed();
    const { lock, holdings } = bed.node();
    const options = { kind: "reentrant", owner: "me" } as const;
    const handles = [await lock("a", options), await lock("a", options)];
    expect(holdings.size).toBe(2);
    await bed.force("a");
    expect(handles.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(holdings.size).toBe(0);
  });
});

describe("work under a lock", () => {
  test("it is given the handle with its signal; what it gives is given, and the lock is released", async () => {
    const bed = handleBed();
    const { lock, errors } = bed.node();
    const result = await whileHeld(
      await lock("a"),
      ({ signal, fence }) => ({ fence, aborted: signal.aborted }),
      (error) => errors.push(error),
    );
    expect(result).toEqual({ fence: 1, aborted: false });
    expect(bed.space.info("a").holders).toEqual([]);
    expect(errors).toEqual([]);
  });

  test("what it throws is thrown, and the lock is released", async () => {
    const bed = handleBed();
    const { lock } = bed.node();
    const work = async (): Promise<never> => {
      throw new RangeError("mine");
    };
    await expect(whileHeld(await lock("a"), work, () => undefined)).rejects.toThrow(RangeError);
    expect(bed.space.info("a").holders).toEqual([]);
  });

  test("where the lock was lost before the work ended, its success is no success: unknown", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    const held = await lock("a", { ttlMs: 1_000 });
    way.isCut = true;
    const working = whileHeld(
      held,
      ({ signal }) => new Promise((resolve) => void clock.after(2_000, () => resolve(signal.aborted))),
      () => undefined,
    ).catch((error: unknown) => error);
    await clock.advance(20_000);
    const error = await working;
    expect(error).toBeInstanceOf(WarpError);
    expect(error).toMatchObject({ code: "lock_lost", outcome: "unknown", details: { reason: "validity" } });
  });

  test("work that was done in time is done, also where the release is not answered", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way, errors } = bed.node();
    const held = await lock("a", { ttlMs: 60_000 });
    way.isCut = true;
    const working = whileHeld(
      held,
      () => "done",
      (error) => errors.push(error),
    );
    await clock.advance(20_000);
    expect(await working).toBe("done");
    expect(errors).toMatchObject([{ code: "deadline_exceeded" }]);
  });
});

describe("a host whose timers end with their request", () => {
  test("handles that nobody gave back are found and let go of when others come", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, holdings, way } = bed.node();
    way.isMute = true;
    for (let at = 0; at < 20; at++) await lock(`old-${at}`, { ttlMs: 1_000 });
    const long = await lock("long", { ttlMs: 600_000 });
    clock.forget();
    await clock.advance(2_000);
    expect(holdings.size).toBe(21);
    for (let at = 0; at < 6; at++) await (await lock("new")).release();
    expect(holdings.size).toBe(1);
    expect(long.signal.aborted).toBe(false);
  });
});

describe("a node that is closed", () => {
  test("CO10 its handles fire and renew no more, its waits end, and no timer is left", async () => {
    const { clock, ...bed } = handleBed();
    const node = bed.node();
    const held = await node.lock("a");
    await bed.node().lock("b", { autoRenew: false, ttlMs: 600_000 });
    const waiting = node.lock("b", { waitMs: 60_000 }).catch((error: { code: string }) => error.code);
    await clock.settle();
    node.holdings.close();
    await clock.settle();
    expect(held.signal.reason).toMatchObject({ code: "lock_lost", details: { reason: "closed" } });
    expect(await waiting).toBe("warp_closed");
    expect(node.holdings.size).toBe(0);
    expect(node.way.listeners).toBe(0);
    const { length } = node.way.sent;
    await clock.advance(120_000);
    expect(node.way.sent.length).toBe(length);
    expect(node.errors).toEqual([]);
  });
});
