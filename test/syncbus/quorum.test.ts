import { describe, expect, it } from "vitest";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import type { SyncBus } from "../../src/syncbus/syncbus.ts";
import { codeOf, Ear } from "../contract/syncbus.ts";
import { busHost } from "../support/bus-host.ts";

function bed() {
  const host = busHost();
  const hub = new MemoryBusHub(host);
  const end = (node: string, zone?: string, at = hub) =>
    memoryBus({ hub: at, node, ...(zone === undefined ? {} : { zone }) });
  return { host, hub, clock: host.clock, end };
}

const acts = async (bus: SyncBus, listener: () => void | Promise<void> = () => {}) =>
  await bus.subscribe({ prefix: "" }, listener);

describe("publishAndAwait of the memory bus", () => {
  it("SB-02 SB5 with one subscriber a quorum of one is met; it names who acted", async () => {
    const { end } = bed();
    const [one, other] = [end("one"), end("other", "z1")];
    await acts(other);
    expect(await one.publishAndAwait({ key: "k" }, { nodes: 1 })).toEqual({
      nodes: ["other"],
      zones: ["z1"],
    });
    expect(one.stats()).toMatchObject({ published: 1 });
    expect(other.stats()).toMatchObject({ delivered: 1 });
  });

  it("SB-02 SB5 where too few listen it fails at once, nothing is sent and nothing counts", async () => {
    const { end, clock } = bed();
    const [one, other] = [end("one"), end("other")];
    const ear = await Ear.on(other);
    await acts(one);
    // Its own subscription and one that listens to something else don't count.
    await end("away").subscribe({ key: "elsewhere" }, () => {});
    for (const quorum of [{ nodes: 2 }, { nodes: 1, minZones: 1 }]) {
      const failure = await one.publishAndAwait({ key: "k" }, quorum).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "quorum_failed", outcome: "fail" });
    }
    await clock.settle();
    expect(ear.events).toEqual([]);
    expect(one.stats()).toMatchObject({ published: 0 });
  });

  it("SB5 counts acknowledgements, not deliveries: only who has acted counts", async () => {
    const { end, clock } = bed();
    const one = end("one");
    const works = [
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
      Promise.withResolvers<void>(),
    ];
    for (const [i, { promise }] of works.entries()) await acts(end(`n${i}`), () => promise);
    let done = false;
    const waiting = one.publishAndAwait({ key: "k" }, { nodes: 2 }).then((acknowledged) => {
      done = true;
      return acknowledged;
    });
    await clock.settle();
    expect(done).toBe(false);
    works[2]?.resolve();
    await clock.settle();
    expect(done).toBe(false);
    works[0]?.resolve();
    expect((await waiting).nodes).toEqual(["n2", "n0"]);
    expect(clock.timers).toBe(0);
  });

  it("SB5 a node counts once, however many ends and subscriptions it has", async () => {
    const { end } = bed();
    const [one, other] = [end("one"), end("other")];
    await acts(other);
    await acts(other);
    await acts(end("other"));
    await acts(end("one"));
    expect(await codeOf(one.publishAndAwait({ key: "k" }, { nodes: 2 }))).toBe("quorum_failed");
    expect((await one.publishAndAwait({ key: "k" }, { nodes: 1 })).nodes).toEqual(["other"]);
  });

  it("SB5 an acknowledgement is of all subscriptions of a node", async () => {
    const { end, clock } = bed();
    const [one, other] = [end("one"), end("other")];
    await acts(other);
    await acts(other, () => Promise.reject(new Error("no")));
    expect(await codeOf(one.publishAndAwait({ key: "k" }, { nodes: 1 }))).toBe("quorum_failed");
    await clock.settle();
    expect(other.stats().errors).toBe(1);
  });

  it("SB5 minZones counts distinct zones; a node without a zone is in none", async () => {
    const { end } = bed();
    const one = end("one", "z9");
    for (const [node, zone] of [
      ["a", "z1"],
      ["b", "z1"],
      ["c", undefined],
    ] as const)
      await acts(end(node, zone));
    expect(await codeOf(one.publishAndAwait({ key: "k" }, { nodes: 3, minZones: 2 }))).toBe("quorum_failed");
    await acts(end("d", "z2"));
    const { zones } = await one.publishAndAwait({ key: "k" }, { nodes: 2, minZones: 2 });
    expect([...zones].sort()).toEqual(["z1", "z2"]);
  });

  it("SB5 who fails or leaves can't count: once nobody is left who could, it fails without waiting", async () => {
    const { end, clock } = bed();
    const [one, broken, leaving] = [end("one"), end("broken"), end("leaving")];
    await acts(broken, () => {
      throw new Error("no");
    });
    await acts(leaving, () => new Promise(() => {}));
    let code = "";
    void codeOf(one.publishAndAwait({ key: "k" }, { nodes: 1 })).then((it) => {
      code = it;
    });
    await clock.settle();
    expect(code).toBe("");
    await leaving.close();
    await clock.settle();
    expect(code).toBe("quorum_failed");
  });

  it("SB-09 SB5 at the deadline it fails as quorum_failed, 10 s unless it says otherwise; a signal ends it", async () => {
    const { end, clock } = bed();
    const [one, other] = [end("one"), end("other")];
    await acts(other, () => new Promise(() => {}));
    const codes: string[] = [];
    const note = (work: Promise<unknown>) => void codeOf(work).then((code) => codes.push(code));
    const controller = new AbortController();
    note(one.publishAndAwait({ key: "k" }, { nodes: 1 }));
    note(one.publishAndAwait({ key: "k" }, { nodes: 1 }, { timeoutMs: 50 }));
    note(one.publishAndAwait({ key: "k" }, { nodes: 1 }, { signal: controller.signal }));
    await clock.advance(49);
    expect(codes).toEqual([]);
    await clock.advance(1);
    expect(codes).toEqual(["quorum_failed"]);
    controller.abort();
    await clock.settle();
    expect(codes).toEqual(["quorum_failed", "aborted"]);
    await clock.advance(9_950);
    expect(codes).toEqual(["quorum_failed", "aborted", "quorum_failed"]);
  });

  it("SB1 what was published before arrives before it", async () => {
    const { end } = bed();
    const [one, other] = [end("one"), end("other")];
    const ear = await Ear.on(other);
    const before = ["a", "b", "c"].map((key) => one.publish({ key }));
    await one.publishAndAwait({ key: "d" }, { nodes: 1 });
    await Promise.all(before);
    expect(ear.heard).toEqual(["a", "b", "c", "d"]);
  });

  it("refuses numbers out of range", async () => {
    const { end } = bed();
    const one = end("one");
    for (const quorum of [
      { nodes: 0 },
      { nodes: 65 },
      { nodes: 1.5 },
      { nodes: Number.NaN },
      { nodes: 1, minZones: 2 },
      { nodes: 64, minZones: 17 },
      { nodes: 1, minZones: -1 },
    ]) {
      expect(await codeOf(one.publishAndAwait({ key: "k" }, quorum))).toBe("invalid_argument");
    }
  });
});

describe("regions of the memory bus", () => {
  function regions(...names: readonly string[]) {
    const host = busHost();
    const hubs = names.map((region) => new MemoryBusHub({ ...host, region }));
    const [first, second, third] = hubs;
    if (first === undefined || second === undefined || third === undefined) throw new Error("three regions");
    return { host, clock: host.clock, first, second, third };
  }

  it("SB6 local stays in its region, global crosses every bridge once and comes back over none", async () => {
    const { clock, first, second, third } = regions("eu", "us", "asia");
    // A ring: each region is reached by two ways.
    first.bridge(second);
    second.bridge(third);
    third.bridge(first);
    const one = memoryBus({ hub: first, node: "one" });
    const ears = await Promise.all(
      [first, first, second, third].map((hub, i) =>
        Ear.on(i === 0 ? one : memoryBus({ hub, node: `n${i}` })),
      ),
    );
    await one.publish({ key: "k" });
    await clock.advance(20);
    expect(ears.map(({ heard }) => heard)).toEqual([[], ["k"], ["k"], ["k"]]);
    await one.publish({ key: "near", scope: "local" });
    await clock.advance(20);
    expect(ears.map(({ heard }) => heard.length)).toEqual([0, 2, 1, 1]);
  });

  it("SB6 region and vector clock travel with the event and order what depends on it", async () => {
    const { clock, first, second, third } = regions("eu", "us", "asia");
    first.bridge(second);
    second.bridge(third);
    const [one, two] = [memoryBus({ hub: first }), memoryBus({ hub: second })];
    const ear = await Ear.on(memoryBus({ hub: third }));
    await one.publish({ key: "a" });
    await clock.advance(20);
    // It has seen the first.
    await two.publish({ key: "b" });
    await clock.advance(20);
    await one.publish({ key: "c", scope: "local" });
    await clock.advance(20);
    await one.publish({ key: "d" });
    await clock.advance(20);
    expect(ear.events.map(({ region, vector }) => ({ region, vector }))).toEqual([
      { region: "eu", vector: { eu: 1 } },
      { region: "us", vector: { eu: 1, us: 1 } },
      { region: "eu", vector: { eu: 3, us: 1 } },
    ]);
  });

  it("SB5 SB6 a quorum counts nodes beyond a bridge, unless the scope is local or the bridge is gone", async () => {
    const { first, second } = regions("eu", "us", "asia");
    const take = first.bridge(second);
    const one = memoryBus({ hub: first });
    const far = memoryBus({ hub: second, node: "far", zone: "z" });
    await far.subscribe({ prefix: "" }, () => {});
    expect((await one.publishAndAwait({ key: "k" }, { nodes: 1, minZones: 1 })).nodes).toEqual(["far"]);
    expect(await one.peers()).toEqual([{ node: "far", zone: "z", region: "us" }]);
    expect(await codeOf(one.publishAndAwait({ key: "k", scope: "local" }, { nodes: 1 }))).toBe(
      "quorum_failed",
    );
    take();
    expect(await codeOf(one.publishAndAwait({ key: "k" }, { nodes: 1 }))).toBe("quorum_failed");
    expect(await one.peers()).toEqual([]);
  });

  it("a bridge joins regions of different names only", () => {
    const host = busHost();
    const [one, other] = [new MemoryBusHub(host), new MemoryBusHub(host)];
    expect(() => one.bridge(other)).toThrow("two regions of different names");
  });
});

describe("a slow listener", () => {
  it("is told that everything may have changed when more than 10,000 events wait, and acknowledges them all", async () => {
    const { end, clock } = bed();
    const [one, slow] = [end("one"), end("slow")];
    const { promise, resolve: release } = Promise.withResolvers<void>();
    const ear = new Ear();
    const errors: unknown[] = [];
    slow.onError((error) => errors.push((error as { code: string }).code));
    await slow.subscribe({ prefix: "" }, async (events) => {
      ear.bursts.push(events);
      await promise;
    });
    await one.publish({ key: "first" });
    await clock.settle();
    const sent = Array.from({ length: 10_001 }, (_, i) => one.publish({ key: `k${i}` }));
    const acknowledged = one.publishAndAwait({ key: "last" }, { nodes: 1 });
    await Promise.all(sent);
    release();
    expect((await acknowledged).nodes).toEqual(["slow"]);
    expect(ear.heard).toEqual(["first", "*", "last"]);
    expect(errors).toEqual(["overloaded"]);
  });
});
