import { describe, expect, it, test } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { failoverBus } from "../../src/syncbus/failover/failover-bus.ts";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import type { LeaseEvent, SyncBus } from "../../src/syncbus/syncbus.ts";
import { codeOf, Ear, syncBusContract } from "../contract/syncbus.ts";
import { publishing } from "../support/bus-bed.ts";
import { busHost } from "../support/bus-host.ts";
import { CutBus } from "../support/cut-bus.ts";
import { withoutRedis } from "../support/redis-bridge/bed.ts";
import { withUpstashBuses } from "../support/upstash-buses.ts";

const memory = {
  quorum: true,
  zones: true,
  health: true,
  peers: true,
  scope: true,
  region: true,
  resume: false,
  remote: false,
};

syncBusContract({
  name: "memory, else memory",
  supports: memory,
  run: async (work) => {
    const host = busHost();
    const hubs = [new MemoryBusHub(host), new MemoryBusHub(host)] as const;
    await work({
      clock: host.clock,
      end: (node) => {
        const [first, second] = hubs.map((hub) =>
          memoryBus({ hub, ...(node === undefined ? {} : { node }) }),
        );
        if (first === undefined || second === undefined) throw new Error("no bus");
        return failoverBus({ ...host, first, second });
      },
      arrive: () => host.clock.settle(),
    });
  },
});

describe.skipIf(withoutRedis !== undefined)("over a real redis-server", () => {
  syncBusContract({
    name: "memory, else upstash",
    supports: { ...memory, scope: false, region: false },
    run: (work) =>
      withUpstashBuses(async ({ host, end, clock, arrive }) => {
        const hub = new MemoryBusHub(host);
        await work({
          clock,
          arrive,
          end: (node) => {
            const first = memoryBus({ hub, ...(node === undefined ? {} : { node }) });
            return failoverBus({ ...host, first, second: end(node) });
          },
        });
      }),
  });

  syncBusContract({
    name: "upstash that takes nothing, else upstash",
    supports: {
      quorum: false,
      zones: false,
      health: true,
      peers: false,
      scope: false,
      region: false,
      resume: true,
      remote: true,
    },
    positions: false,
    run: (work) =>
      withUpstashBuses(async ({ host, end, ...bed }) => {
        await work({
          ...bed,
          end: (node) => {
            const first = publishing(end(node, { space: "first" }), () =>
              Promise.reject(new WarpError("unavailable", "it takes nothing", { outcome: "unknown" })),
            );
            return failoverBus({ ...host, first, second: end(node) });
          },
        });
      }),
  });
});

/** Nodes over two memory buses, each with ways of its own. */
function bed(options: { readonly carriesLeaseEnds?: boolean } = {}) {
  const host = busHost();
  const hubs = [new MemoryBusHub(host), new MemoryBusHub(host)] as const;
  const node = (name: string) => {
    const first = new CutBus(host, memoryBus({ hub: hubs[0], node: name }));
    const second = new CutBus(host, memoryBus({ hub: hubs[1], node: name }));
    const bus = failoverBus({
      ...host,
      first: first.bus,
      second: second.bus,
      threshold: 2,
      openMs: 1_000,
      timeoutMs: 500,
      ...options,
    });
    return { first, second, bus };
  };
  const settle = () => host.clock.advance(20);
  /** What is sent needs time to pass. */
  const ended = async (work: Promise<unknown>): Promise<unknown> => {
    const end = work.catch((error: unknown) => error);
    await host.clock.advance(40);
    return await end;
  };
  return { host, hubs, node, settle, ended, clock: host.clock };
}

describe("a bus over two", () => {
  it("SB8 SB-11 while the first fails the second carries; after its time one publication tries the first, and it carries again", async () => {
    const { node, clock, ended } = bed();
    const [one, other] = [node("one"), node("other")];
    const ear = await Ear.on(other.bus);
    const publish = (key: string) => ended(one.bus.publish({ key }));
    await publish("a");
    expect([one.bus.state, one.bus.carries]).toEqual(["closed", "first"]);
    expect(await one.bus.health()).toEqual({ ok: true, detail: "the first bus carries" });
    one.first.way = "before";
    for (const key of ["b", "c"]) expect(await publish(key)).toBeUndefined();
    expect([one.bus.state, one.bus.carries]).toEqual(["open", "second"]);
    expect(await one.bus.health()).toEqual({ ok: true, detail: "the second bus carries" });
    expect(await publish("d")).toBeUndefined();
    expect(other.first.bus.stats().delivered).toBe(1);
    await clock.advance(1_000);
    expect(one.bus.state).toBe("half-open");
    expect(await publish("e")).toBeUndefined();
    expect(one.bus.state).toBe("open");
    await clock.advance(1_000);
    one.first.way = "works";
    expect(await publish("f")).toBeUndefined();
    expect([one.bus.state, one.bus.carries]).toEqual(["closed", "first"]);
    expect(ear.heard).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(other.first.bus.stats().delivered).toBe(2);
    expect(other.bus.stats()).toMatchObject({ delivered: 6, duplicates: 0, errors: 0 });
  });

  it("SB-08 what the first has carried though its answer was lost is heard once", async () => {
    const { node, ended } = bed();
    const [one, other] = [node("one"), node("other")];
    const ear = await Ear.on(other.bus);
    one.first.way = "after";
    expect(await ended(one.bus.publish({ key: "k" }))).toBeUndefined();
    expect(ear.heard).toEqual(["k"]);
    expect(other.bus.stats()).toMatchObject({ delivered: 1, duplicates: 1 });
    expect(one.bus.stats().published).toBe(1);
  });

  it("SB-09 a first bus that never answers costs its time and not the caller's; who has no more time is told so", async () => {
    const { node, clock, ended } = bed();
    const [one, other] = [node("one"), node("other")];
    const ear = await Ear.on(other.bus);
    one.first.way = "silent";
    const sent = one.bus.publish({ key: "k" });
    await clock.advance(499);
    expect(ear.heard).toEqual([]);
    await clock.advance(21);
    await sent;
    expect(ear.heard).toEqual(["k"]);
    const short = one.bus.publish({ key: "short" }, { timeoutMs: 10 });
    expect(await ended(short)).toMatchObject({ code: "deadline_exceeded", outcome: "unknown" });
    const controller = new AbortController();
    const given = one.bus.publish({ key: "given up" }, { signal: controller.signal });
    controller.abort();
    expect(await ended(given)).toMatchObject({ code: "aborted" });
    expect(ear.heard).toEqual(["k"]);
  });

  it("where neither works a publication fails, with an unknown outcome if the first may have carried it", async () => {
    const { node, ended } = bed();
    const one = node("one");
    [one.first.way, one.second.way] = ["before", "before"];
    expect(await ended(one.bus.publish({ key: "k" }))).toMatchObject({
      code: "unavailable",
      outcome: "unknown",
    });
    expect(await ended(one.bus.publish({ key: "" }))).toMatchObject({ code: "invalid_key" });
    expect(one.bus.stats().published).toBe(0);
  });

  it("SB5 SB8 acknowledgements are counted by a bus that can; else a quorum is unavailable while the first is out, and nothing is sent", async () => {
    const { node, ended, host } = bed();
    const [one, other] = [node("one"), node("other")];
    const ear = await Ear.on(other.bus);
    expect(await ended(one.bus.publishAndAwait({ key: "a" }, { nodes: 1 }))).toMatchObject({
      nodes: ["other"],
    });
    one.first.way = "before";
    // A failure in the middle is the caller's: who has acted on it already would count twice.
    for (const key of ["b", "c"]) {
      const failed = ended(one.bus.publishAndAwait({ key }, { nodes: 1 }));
      expect(await failed).toMatchObject({ code: "unavailable", outcome: "unknown" });
    }
    expect(await ended(one.bus.publishAndAwait({ key: "d" }, { nodes: 1 }))).toMatchObject({
      nodes: ["other"],
    });
    expect(await ended(one.bus.publishAndAwait({ key: "e" }, { nodes: 2 }))).toMatchObject({
      code: "quorum_failed",
    });
    expect(ear.heard).toEqual(["a", "d"]);
    const first = new CutBus(host, memoryBus({ hub: new MemoryBusHub(host) }));
    const deaf = new Proxy(one.second.bus, {
      get: (target, name) => {
        if (name === "supports") return { ...target.supports, quorum: false };
        const member: unknown = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    const bus = failoverBus({ ...host, first: first.bus, second: deaf, threshold: 1 });
    first.way = "before";
    await ended(bus.publish({ key: "x" }));
    expect(bus.state).toBe("open");
    expect(await ended(bus.publishAndAwait({ key: "f" }, { nodes: 1 }))).toMatchObject({
      code: "unavailable",
      outcome: "fail",
      retryAfterMs: expect.any(Number),
    });
    expect(ear.heard).toEqual(["a", "d", "x"]);
  });

  it("SB5 who has failed on a message acknowledges it over no other way: what comes again it is asked to act on again", async () => {
    const { node, ended } = bed();
    const [one, other] = [node("one"), node("other")];
    const asked: string[] = [];
    await other.bus.subscribe({ prefix: "" }, (events) => {
      for (const event of events) if ("key" in event) asked.push(event.key);
      if (asked.length < 3) throw new Error("not now");
    });
    const publish = () =>
      ended(one.bus.publishAndAwait({ key: "k" }, { nodes: 1 }, { id: "same", timeoutMs: 30 }));
    expect(await publish()).toMatchObject({ code: "quorum_failed" });
    one.first.way = "before";
    for (const key of ["a", "b"]) await ended(one.bus.publishAndAwait({ key }, { nodes: 1 }));
    expect(one.bus.carries).toBe("second");
    expect(await publish()).toMatchObject({ code: "quorum_failed" });
    expect(asked).toEqual(["k", "k"]);
  });

  it("the end of a lease is told by the first alone, unless the second is said to carry those, too", async () => {
    const lease = "lease0123456789ab";
    for (const carriesLeaseEnds of [false, true]) {
      const { node, ended } = bed({ carriesLeaseEnds });
      const [one, other] = [node("one"), node("other")];
      const heard: LeaseEvent[] = [];
      await other.bus.subscribeLease(lease, (event) => void heard.push(event));
      one.first.way = "before";
      const failure = await ended(one.bus.publishLeaseEnd(lease));
      if (carriesLeaseEnds) expect(failure).toBeUndefined();
      else expect(failure).toMatchObject({ code: "unavailable" });
      expect(heard).toHaveLength(carriesLeaseEnds ? 1 : 0);
      one.first.way = "after";
      await ended(one.bus.publishLeaseEnd(lease, { id: "twice" }));
      expect(heard).toHaveLength(carriesLeaseEnds ? 2 : 1);
    }
  });

  it("SB2 a node whose first bus is back, and can't resume, is told that everything may have changed", async () => {
    const { host, hubs, settle, clock } = bed();
    const quiet = new CutBus(host, memoryBus({ hub: hubs[0], node: "one" }));
    const bus = failoverBus({
      ...host,
      first: quiet.bus,
      second: memoryBus({ hub: hubs[1], node: "one" }),
      threshold: 1,
      openMs: 1_000,
    });
    const ear = await Ear.on(bus);
    const leases: LeaseEvent[] = [];
    await bus.subscribeLease("lease0123456789ab", (event) => void leases.push(event));
    quiet.way = "before";
    await bus.publish({ key: "k" });
    await clock.advance(1_000);
    quiet.way = "works";
    expect(ear.heard).toEqual([]);
    await bus.publish({ key: "k" });
    await settle();
    expect(ear.heard).toEqual(["*"]);
    expect(leases).toMatchObject([{ missed: true }]);
  });

  it("SB2 a subscription begins with the bus that can be joined; when the other is joined later, everything may have changed", async () => {
    const { node, ended, clock, host } = bed();
    const [one, other] = [node("one"), node("other")];
    const errors: { code?: string }[] = [];
    other.bus.onError((error) => errors.push(error as { code?: string }));
    other.first.way = "before";
    const ear = await Ear.on(other.bus);
    expect(errors.map(({ code }) => code)).toEqual(["unavailable"]);
    await ended(one.bus.publish({ key: "not heard" }));
    other.first.way = "works";
    await clock.advance(400);
    expect(ear.heard).toEqual(["*"]);
    await ended(one.bus.publish({ key: "heard" }));
    expect(ear.heard).toEqual(["*", "heard"]);
    expect(host.clock.timers).toBe(0);
    [one.first.way, one.second.way] = ["before", "before"];
    expect(await codeOf(Ear.on(one.bus))).toBe("unavailable");
    expect(one.bus.stats().subscriptions).toBe(0);
    expect(host.clock.timers).toBe(0);
    // Nothing goes on asking for a bus that is closed.
    one.second.way = "works";
    await Ear.on(one.bus);
    expect(host.clock.timers).toBe(1);
    await one.bus.close();
    expect(host.clock.timers).toBe(0);
  });

  it("SB-05 who gives up while neither bus answers is told so, and nothing is left", async () => {
    const { node, ended, host } = bed();
    const { first, second } = node("one");
    const silent = (bus: SyncBus): SyncBus =>
      new Proxy(bus, {
        get: (target, name) => {
          if (name === "subscribe") return () => new Promise(() => {});
          const member: unknown = Reflect.get(target, name, target);
          return typeof member === "function" ? member.bind(target) : member;
        },
      });
    const bus = failoverBus({ ...host, first: silent(first.bus), second: silent(second.bus) });
    const controller = new AbortController();
    const begun = ended(bus.subscribe({ prefix: "" }, () => {}, { signal: controller.signal }));
    controller.abort("no more");
    expect(await begun).toMatchObject({ code: "aborted" });
    expect([bus.stats().subscriptions, host.clock.timers]).toEqual([0, 0]);
    const left = ended(bus.subscribe({ prefix: "" }, () => {}));
    await bus.close();
    expect(await left).toMatchObject({ code: "warp_closed" });
    expect(host.clock.timers).toBe(0);
  });

  it("a listener has one burst at a time, whichever bus it comes over", async () => {
    const { node, settle, ended } = bed();
    const [one, other, third] = [node("one"), node("other"), node("third")];
    let acting = 0;
    let most = 0;
    const { promise, resolve: release } = Promise.withResolvers<void>();
    await other.bus.subscribe({ prefix: "" }, async () => {
      most = Math.max(most, ++acting);
      await promise;
      acting--;
    });
    third.first.way = "before";
    await ended(Promise.all([one.bus.publish({ key: "a" }), third.bus.publish({ key: "b" })]));
    expect([acting, most]).toEqual([1, 1]);
    release();
    await settle();
    expect([acting, most]).toEqual([0, 1]);
    expect(other.bus.stats().delivered).toBe(2);
  });

  test("options out of their range are refused by name", () => {
    const { host, node } = bed();
    const { first, second } = node("one");
    const buses = { first: first.bus, second: second.bus };
    for (const options of [
      { threshold: 0 },
      { openMs: 0 },
      { openMs: 3_600_001 },
      { timeoutMs: 0 },
      { timeoutMs: 120_001 },
      { second: first.bus },
    ]) {
      const [field] = Object.keys(options);
      expect(() => failoverBus({ ...host, ...buses, ...options })).toThrow(
        expect.objectContaining({ code: "invalid_argument", details: expect.objectContaining({ field }) }),
      );
    }
  });
});
