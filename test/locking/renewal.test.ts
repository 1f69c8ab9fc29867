import { describe, expect, test } from "vitest";
import { handleBed } from "../support/handle-bed.ts";

describe("renewal by itself", () => {
  test("LK7 it is renewed after each third of its time, for as long as it is held", async () => {
    const { clock, ...bed } = handleBed();
    const { way, lock, errors } = bed.node();
    const held = await lock("a", { ttlMs: 3_000 });
    await clock.advance(30_500);
    expect(way.kinds()).toEqual(["acquire", ...Array.from({ length: 30 }, () => "renew")]);
    expect(held.signal.aborted).toBe(false);
    expect(await held.release()).toBe(true);
    await clock.advance(30_000);
    expect(way.sent.length).toBe(32);
    expect(clock.timers).toBe(0);
    expect(errors).toEqual([]);
  });

  test("LK11 without it, the lock is free after its time, and the signal has fired", async () => {
    const { clock, ...bed } = handleBed();
    const { lock } = bed.node();
    const held = await lock("a", { ttlMs: 1_000, autoRenew: false });
    await clock.advance(1_000);
    expect(held.signal.aborted).toBe(true);
    expect((await bed.node().lock("a")).fence).toBeGreaterThan(held.fence);
  });

  test("OU2 one renewal has one op id, however often it is sent, and the lock survives as long as an answer comes in time", async () => {
    const { clock, ...bed } = handleBed();
    const { way, lock } = bed.node();
    const held = await lock("a", { ttlMs: 9_000 });
    way.faults.push({ what: "renew", how: "answer" }, { what: "renew", how: "refuse" });
    await clock.advance(8_000);
    const ids = new Set(way.sent.flatMap((one) => (one.kind === "renew" ? one.opId : [])));
    expect(way.kinds().filter((kind) => kind === "renew").length).toBeGreaterThan(2);
    expect(ids.size).toBeLessThan(way.kinds().filter((kind) => kind === "renew").length);
    await clock.advance(60_000);
    expect(held.signal.aborted).toBe(false);
    expect(held.remainingMs()).toBeGreaterThan(5_000);
  });

  test("a refused renewal is told to the node and tried again while there is time", async () => {
    const { clock, ...bed } = handleBed();
    const { way, lock, errors } = bed.node();
    const held = await lock("a", { ttlMs: 9_000 });
    const overloaded = { code: "overloaded", message: "", outcome: "fail", retryable: true } as const;
    const { run } = way;
    let refusals = 1;
    way.run = async (commands, options) => {
      if (refusals-- > 0) return [{ outcome: "fail", error: overloaded }];
      return await run.call(way, commands, options);
    };
    await clock.advance(8_000);
    expect(errors).toMatchObject([{ code: "overloaded" }]);
    await clock.advance(10_000);
    expect(held.signal.aborted).toBe(false);
  });

  test("it does not outlive maxLifeMs, by whose end it is free for others", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way, errors } = bed.node();
    const beganAtMs = clock.now();
    const held = await lock("a", { ttlMs: 3_000, maxLifeMs: 10_000 });
    await clock.advance(9_000);
    expect(held.signal.aborted).toBe(false);
    await clock.advance(1_000);
    expect(held.signal.aborted).toBe(true);
    await bed.node().lock("a");
    expect(clock.now()).toBe(beganAtMs + 10_000);
    // The last renewal asked for what was left.
    const renewals = way.sent.flatMap((one) => (one.kind === "renew" ? (one.ttlMs ?? "whole") : []));
    expect(renewals.slice(0, 7)).toEqual(Array.from({ length: 7 }, () => "whole"));
    expect(renewals.at(-1)).toBeLessThan(3_000);
    expect(errors).toEqual([]);
  });

  test("a call may renew, too: with another time to live, that counts from then on", async () => {
    const { clock, ...bed } = handleBed();
    const { lock } = bed.node();
    const held = await lock("a", { ttlMs: 30_000, autoRenew: false });
    await held.renew({ ttlMs: 60_000 });
    expect(held.remainingMs()).toBe(59_400);
    await clock.advance(50_000);
    await held.renew({ ttlMs: 5_000 });
    // A shorter one takes nothing away of what is left.
    expect(held.remainingMs()).toBe(9_900);
    await clock.advance(9_900);
    expect(held.signal.aborted).toBe(true);
    await clock.advance(100);
    await bed.node().lock("a");
  });

  test("LK13 a time out of range is refused before anything is sent, and costs nothing", async () => {
    const bed = handleBed();
    const { lock, way } = bed.node();
    const held = await lock("a");
    await expect(held.renew({ ttlMs: 99 })).rejects.toMatchObject({ code: "invalid_ttl" });
    await expect(held.renew({ ttlMs: 86_400_001 })).rejects.toMatchObject({ code: "invalid_ttl" });
    expect(way.kinds()).toEqual(["acquire"]);
    expect(held.signal.aborted).toBe(false);
  });

  test("LK3 confirm asks the authority; what it has ended is lost", async () => {
    const { clock, ...bed } = handleBed();
    const { lock, way } = bed.node();
    const held = await lock("a");
    await held.confirm();
    way.isCut = true;
    await bed.force("a");
    const asking = held.confirm({ timeoutMs: 1_000 }).catch((error: { code: string }) => error.code);
    await clock.advance(1_000);
    // Not to know is no loss yet.
    expect(await asking).toBe("deadline_exceeded");
    expect(held.signal.aborted).toBe(false);
    way.isCut = false;
    await expect(held.confirm()).rejects.toMatchObject({ code: "lock_lost", details: { reason: "forced" } });
    expect(held.signal.aborted).toBe(true);
  });
});
