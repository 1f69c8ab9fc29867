import { describe, expect, it } from "vitest";
import { NodeLease } from "../../src/connection/socket/node-lease.ts";
import type { Clock } from "../../src/runtime/clock.ts";
import { clockRateMargin } from "../../src/runtime/limits.ts";
import { seeded } from "../support/seeded.ts";
import { epoch, type FakeHub } from "./fake-hub.ts";
import { type BedOptions, Heard, socketBed } from "./socket-bed.ts";

const space = {
  space: { name: "test", id: "life-1", shards: 1, strict: false, createdAtMs: 0 },
  registrations: 0,
};

/** A hub that lets every key be held. */
function holdsAll(hub: FakeHub): void {
  hub.answer = (call) => {
    if (call.m === "getSpace") return space;
    const { keys } = call.a[0] as { keys: string[] };
    return { epoch, asOf: 7, registrations: 0, entries: keys.map(() => null), held: keys.map((_, i) => i) };
  };
}

/** A bed whose node has read a key to hold it, and the tenure under which it may. */
async function holding(options: BedOptions = {}) {
  const bed = socketBed(options);
  holdsAll(bed.hub);
  const heard = new Heard();
  const { pushes } = bed.connection;
  if (pushes === undefined) throw new Error("no pushes");
  pushes.listen(heard);
  const hold = async (): Promise<number | undefined> => {
    const read = bed.client.read(["a"], { strong: "hold" });
    await bed.clock.advance(10);
    return (await read)[0]?.tenure;
  };
  await hold();
  const tenure = (await hold()) ?? Number.NaN;
  const serves = (of = tenure): boolean => bed.clock.now() < pushes.servesUntilMs(0, of);
  return { ...bed, pushes, heard, hold, tenure, serves };
}

describe("node lease of a session", () => {
  it("ST3 is asked for with the first strong read, and what may be held carries its tenure", async () => {
    const { hub, client, clock, serves } = await holding();
    expect(hub.last.of("ping").every(({ lease }) => lease === true)).toBe(true);
    expect(hub.last.of("call").map(({ a }) => a[0])).toMatchObject([
      "test",
      { strong: true, hold: true },
      { strong: true, hold: true },
    ]);
    expect(serves()).toBe(true);
    const plain = client.read(["a"]);
    const strong = client.read(["a"], { strong: "read" });
    await clock.advance(10);
    await plain;
    await strong;
    expect(hub.last.of("call").slice(-2)).toMatchObject([
      { a: [expect.not.objectContaining({ strong: true })] },
      { a: [expect.not.objectContaining({ hold: true })] },
    ]);
  });

  it("ST3 counts from the sending of its request, less one percent", async () => {
    const bed = socketBed();
    holdsAll(bed.hub);
    bed.wire.delayMs = 300;
    const read = bed.client.read(["a"], { strong: "hold" });
    await bed.clock.advance(3_000);
    await read;
    const pings = bed.hub.last.of("ping").length;
    const again = bed.client.read(["a"], { strong: "hold" });
    await bed.clock.advance(700);
    const tenure = (await again)[0]?.tenure ?? Number.NaN;
    // Every request was sent one delay before it arrived, at a quarter of a lease from each other.
    const until = bed.connection.pushes?.servesUntilMs(0, tenure) ?? Number.NaN;
    expect(pings).toBeGreaterThan(0);
    expect(until).toBeLessThanOrEqual(bed.clock.now() - 600 + 4_000 * 0.99);
    expect(until).toBeGreaterThan(bed.clock.now() - 600 + 4_000 * 0.99 - 1_000);
  });

  it("is renewed at a quarter while strong keys are read, hits in L1 included, and no longer than that", async () => {
    const { clock, hub, serves } = await holding();
    for (let i = 0; i < 60; i++) {
      expect(serves()).toBe(true);
      await clock.advance(1_000);
    }
    const asked = hub.last.of("ping").length;
    expect(asked).toBeGreaterThanOrEqual(60);
    await clock.advance(30_000);
    expect(hub.last.of("ping").length).toBeLessThanOrEqual(asked + 8);
    expect(hub.last.of("beat").length).toBeGreaterThan(15);
    expect(serves()).toBe(false);
  });

  it("after a time without a lease what was held before stays unused, however soon the next grant comes", async () => {
    const { clock, hub, tenure, serves, hold } = await holding();
    hub.grantsLeases = false;
    await clock.advance(4_000);
    expect(serves()).toBe(false);
    hub.grantsLeases = true;
    await hold();
    await clock.advance(1_000);
    const next = (await hold()) ?? Number.NaN;
    expect(next).not.toBe(tenure);
    expect([serves(), serves(next)]).toEqual([false, true]);
  });

  it("where there is none to be had, it is asked for once a beat, not with each read", async () => {
    const { clock, hub, hold } = await holding();
    hub.grantsLeases = false;
    await clock.advance(4_000);
    const before = hub.last.of("ping").length;
    for (let i = 0; i < 100; i++) await hold();
    expect(hub.last.of("ping").length - before).toBeLessThanOrEqual(3);
    expect(hub.last.of("call").length).toBeGreaterThan(100);
  });

  it("a renewal that arrives after the end begins another tenure, even if the shard granted it in time", async () => {
    const { clock, hub, tenure, serves, hold } = await holding();
    hub.keptPongs = [];
    for (let second = 0; second < 5; second++) {
      await clock.advance(1_000);
      hub.last.send({ t: "beat" });
    }
    expect(serves()).toBe(false);
    const pongs = hub.keptPongs;
    hub.keptPongs = undefined;
    // The last of them was sent a moment ago: its lease is good, but there was a time without one.
    for (const pong of pongs) pong();
    await clock.advance(2);
    expect(serves()).toBe(false);
    const next = (await hold()) ?? Number.NaN;
    expect(next).toBeGreaterThan(tenure);
    expect(serves(next)).toBe(true);
    expect(hub.sessions).toHaveLength(1);
  });

  it("`lost` ends it before anything else", async () => {
    const { wire, pushes, heard, tenure } = await holding();
    let during: number | undefined;
    heard.lost = () => {
      during = pushes.servesUntilMs(0, tenure);
    };
    wire.cut();
    expect(during).toBe(Number.NEGATIVE_INFINITY);
  });

  it("a tenure is of one session at one shard", async () => {
    const { clock, wire, pushes, tenure, serves, hold } = await holding();
    expect(pushes.servesUntilMs(1, tenure)).toBe(Number.NEGATIVE_INFINITY);
    wire.cut();
    await clock.advance(150);
    await hold();
    const next = (await hold()) ?? Number.NaN;
    expect([serves(), serves(next)]).toEqual([false, true]);
  });

  it("closing gives it back with `bye`, and serves nothing from then on", async () => {
    const { clock, hub, connection, serves } = await holding();
    await connection.close();
    expect(serves()).toBe(false);
    await clock.advance(5);
    expect(hub.last.frames.at(-1)).toEqual({ t: "bye" });
  });

  it("is over with its session, and no answer that comes later brings it back", () => {
    const lease = new NodeLease({ now: () => 5 }, () => 1);
    lease.asks(1);
    lease.answered(1, 4_000);
    expect(lease.leftMs()).toBe(4_000 * 0.99);
    lease.asks(2);
    lease.end();
    lease.answered(2, 4_000);
    expect(lease.leftMs()).toBe(Number.NEGATIVE_INFINITY);
  });

  it("A1 with clocks that differ by a percent, no node serves what the shard no longer counts on", () => {
    const seed = 4_711;
    const random = seeded(seed);
    let served = 0;
    for (let round = 0; round < 3_000; round++) {
      // Real time in ms; two clocks that run at rates within A1 of each other and began anywhere.
      const skew = 1 + (random.below(2_001) - 1_000) / 100_000;
      let realMs = 0;
      const node: Clock = { now: () => 5_000 + realMs * skew };
      const lease = new NodeLease(node, () => 1);
      let shardUntilMs = Number.NEGATIVE_INFINITY;
      const leaseMs = 100 + random.below(8_000);
      for (let id = 1; id <= 6; id++) {
        lease.asks(id);
        realMs += random.below(leaseMs);
        // The shard grants, by a clock that runs at the true rate, with its own margin.
        if (random.below(5) > 0) {
          shardUntilMs = Math.max(shardUntilMs, realMs + leaseMs * (1 + clockRateMargin));
          realMs += random.below(leaseMs);
          lease.answered(id, leaseMs);
        } else lease.answered(id, undefined);
        for (let step = 0; step < 4; step++) {
          if (lease.leftMs() > 0) {
            served++;
            expect(realMs, `seed ${seed}, round ${round}`).toBeLessThan(shardUntilMs);
          }
          realMs += random.below(leaseMs / 2);
        }
      }
    }
    expect(served).toBeGreaterThan(3_000);
  });

  it("A1 elapsed time counts: a node's clock that is set back gains nothing, set forward it loses nothing", async () => {
    for (const byMs of [-3_600_000, 3_600_000]) {
      let setMs = 0;
      const bed = await holding((clock) => ({
        clock: { now: () => clock.now() + setMs },
        elapsed: clock,
      }));
      const serves = (): boolean => bed.clock.now() + setMs < bed.pushes.servesUntilMs(0, bed.tenure);
      bed.wire.silence();
      setMs = byMs;
      await bed.clock.advance(1_000);
      expect(serves()).toBe(true);
      await bed.clock.advance(3_000);
      expect(serves()).toBe(false);
    }
  });
});

describe("strong invalidations", () => {
  it("are carried out and acknowledged in the same turn where there is nothing to wait for", async () => {
    const { clock, hub, heard } = await holding();
    hub.last.send({ t: "inv", n: 1, epoch, at: 9, keys: ["a"], prefixes: ["p:"], tags: ["t"] });
    await clock.advance(1);
    expect(heard.all).toEqual(["invalidate a@9"]);
    await clock.advance(1);
    expect(hub.last.of("ack")).toEqual([{ t: "ack", inv: 1 }]);
  });

  it("are acknowledged in order and together, when all before are done", async () => {
    const { clock, hub, heard } = await holding();
    const done: Record<number, () => void> = {};
    heard.until = ({ revision }) =>
      revision === 4
        ? undefined
        : new Promise<void>((resolve) => {
            done[revision] = resolve;
          });
    for (const n of [1, 2, 3, 4]) hub.last.send({ t: "inv", n, epoch, at: n, keys: [`k${n}`] });
    await clock.advance(5);
    done[2]?.();
    await clock.advance(5);
    expect(hub.last.of("ack")).toEqual([]);
    done[1]?.();
    await clock.advance(5);
    expect(hub.last.of("ack").map(({ inv }) => inv)).toEqual([2]);
    done[3]?.();
    await clock.advance(5);
    expect(hub.last.of("ack").map(({ inv }) => inv)).toEqual([2, 4]);
  });

  it.each<[string, () => void | Promise<void>]>([
    [
      "throws",
      () => {
        throw new Error("no");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no"))],
  ])("where a listener %s, nothing is acknowledged and the session given up", async (_, until) => {
    const { clock, hub, heard, serves } = await holding();
    heard.until = until;
    hub.last.send({ t: "inv", n: 1, epoch, at: 9, keys: ["a"] });
    await clock.advance(5);
    expect(serves()).toBe(false);
    expect(heard.all).toEqual(["invalidate a@9", "lost 0"]);
    expect(hub.sessions[0]?.of("ack")).toEqual([]);
    expect(hub.sessions[0]?.closed).toBeDefined();
  });

  it("every listener has to be done", async () => {
    const { clock, hub, pushes } = await holding();
    const other = new Heard();
    let done: () => void = () => {};
    other.until = () =>
      new Promise<void>((resolve) => {
        done = resolve;
      });
    pushes.listen(other);
    hub.last.send({ t: "inv", n: 1, epoch, at: 9, keys: ["a"] });
    await clock.advance(5);
    expect(hub.last.of("ack")).toEqual([]);
    done();
    await clock.advance(5);
    expect(hub.last.of("ack")).toEqual([{ t: "ack", inv: 1 }]);
  });

  it("one that is done after its session ended acknowledges nothing elsewhere", async () => {
    const { clock, hub, wire, heard } = await holding();
    let done: () => void = () => {};
    heard.until = () =>
      new Promise<void>((resolve) => {
        done = resolve;
      });
    hub.last.send({ t: "inv", n: 1, epoch, at: 9, keys: ["a"] });
    await clock.advance(5);
    wire.cut();
    await clock.advance(150);
    done();
    await clock.advance(5);
    expect(hub.sessions).toHaveLength(2);
    expect(hub.sessions.flatMap((session) => session.of("ack"))).toEqual([]);
  });
});
