import { describe, expect, it } from "vitest";
import { nullAdapter } from "../../src/adapter/null/null-adapter.ts";
import { WarpError } from "../../src/errors.ts";
import { busCoreBed, publishing } from "../support/bus-bed.ts";
import { codeOf, statics } from "../support/core-bed.ts";
import { seeded } from "../support/seeded.ts";

describe("publishing", () => {
  it("CORE-11 SB9 a bus that refuses leaves the set alone; its error shows up on the feed and counts", async () => {
    const { listening, leaks } = busCoreBed();
    const { warp, errors } = listening({}, (bus) =>
      publishing(bus, async () => {
        throw new Error("refused");
      }),
    );
    const failed: unknown[] = [];
    warp.on("publishError", (event) => failed.push(event));
    await warp.set("k", 1);
    expect(await warp.get("k")).toBe(1);
    expect(failed).toMatchObject([{ key: "k", error: new Error("refused") }]);
    expect(warp.stats()).toMatchObject({ publishErrors: 1, published: 0, errors: 0 });
    expect([errors, leaks]).toEqual([[], []]);
  });

  it("CORE-12 SB9 the same for invalidations of keys, prefixes and tags", async () => {
    const { listening, leaks } = busCoreBed();
    const { warp } = listening({}, (bus) =>
      publishing(bus, () => {
        throw new Error("refused at once");
      }),
    );
    const failed: unknown[] = [];
    warp.on("publishError", ({ error: _, ...what }) => failed.push(what));
    await warp.invalidate({ keys: ["a", "b"] });
    await warp.invalidate({ prefix: "p" });
    await warp.invalidate({ tags: ["t"] });
    expect(failed).toEqual([{ key: "a" }, { key: "b" }, { prefix: "p" }, { tag: "t" }]);
    expect(warp.stats().publishErrors).toBe(4);
    expect(leaks).toEqual([]);
  });

  const slowly = (what: "set" | "invalidate") => async (): Promise<void> => {
    const { listening, clock } = busCoreBed();
    const heard: string[] = [];
    const { bus } = listening();
    await bus.subscribe(
      { prefix: "" },
      (events) => void heard.push(...events.map((event) => JSON.stringify(event))),
    );
    const { warp } = listening({}, (end) =>
      publishing(end, async (_message, pass) => {
        await new Promise<void>((resolve) => clock.after(100, resolve));
        await pass();
      }),
    );
    // Nothing moves the clock: it returns without time passing.
    if (what === "set") await warp.set("k", 1);
    else await warp.invalidate({ keys: ["k"] });
    expect(heard).toEqual([]);
    await clock.advance(99);
    expect(heard).toEqual([]);
    await clock.advance(1);
    expect(heard.length).toBe(1);
    expect(warp.stats()).toMatchObject({ published: 1, publishErrors: 0 });
  };
  it("CORE-18 SB9 a bus that needs 100 ms delays no set, and still gets it", slowly("set"));
  it("CORE-19 SB9 a bus that needs 100 ms delays no invalidation, and still gets it", slowly("invalidate"));

  it("CORE-21 SB9 with a publish timeout of 50 ms a bus that never answers ends as a deadline error on the feed", async () => {
    const { listening, clock } = busCoreBed();
    const asked: unknown[] = [];
    const { warp } = listening({ publishTimeoutMs: 50 }, (bus) =>
      publishing(bus, (_message, _pass, options) => {
        asked.push(options?.timeoutMs);
        return new Promise(() => {});
      }),
    );
    const failed: unknown[] = [];
    warp.on("publishError", ({ error }) => failed.push((error as WarpError).code));
    await warp.set("k", 1);
    await clock.advance(49);
    expect(failed).toEqual([]);
    await clock.advance(1);
    expect(failed).toEqual(["deadline_exceeded"]);
    expect(asked).toEqual([50]);
    expect(clock.timers).toBe(0);
  });

  it("CORE-22 without a publish timeout no error arrives within 100 ms, nor later", async () => {
    const { listening, clock } = busCoreBed();
    const { warp } = listening({}, (bus) => publishing(bus, () => new Promise(() => {})));
    const failed: unknown[] = [];
    warp.on("publishError", (event) => failed.push(event));
    await warp.set("k", 1);
    await clock.advance(100);
    await clock.advance(1_000_000);
    expect(failed).toEqual([]);
    expect(warp.stats()).toMatchObject({ published: 0, publishErrors: 0 });
  });

  it("SB4 every write is published, also while the bus still has one of the same key; beyond 10,000 they fail on the feed", async () => {
    const { listening } = busCoreBed();
    let asked = 0;
    const { warp } = listening({}, (bus) =>
      publishing(bus, () => {
        asked++;
        return new Promise(() => {});
      }),
    );
    const codes = new Set<string>();
    warp.on("publishError", ({ error }) => void codes.add((error as WarpError).code));
    await Promise.all(Array.from({ length: 3 }, (_, i) => warp.set("k", i)));
    expect(asked).toBe(3);
    for (let i = 0; i < 10; i++) {
      await warp.setMany(Array.from({ length: 1_000 }, (_, j) => [`k${i}-${j}`, 1] as const));
    }
    expect(asked).toBe(10_000);
    expect([...codes]).toEqual(["overloaded"]);
    expect(warp.stats().publishErrors).toBe(3);
  });

  it("mode local publishes nothing; eventual and strong keys are published by whatever call changed them", async () => {
    const { listening, clock } = busCoreBed();
    const registrations = statics({ "l:*": { mode: "local" }, "s:*": { mode: "strong" } });
    const { warp } = listening({ registrations });
    const told: unknown[] = [];
    const { bus } = listening();
    await bus.subscribe({ prefix: "" }, (events) => {
      for (const event of events)
        told.push("key" in event ? event.key : "prefix" in event ? `${event.prefix}*` : `#${event.tag}`);
    });
    await warp.set("l:1", 1);
    await warp.invalidate({ keys: ["l:1"] });
    await warp.delete("l:1");
    await clock.advance(20);
    expect(told).toEqual([]);
    await warp.set("e:1", 1);
    await warp.set("s:1", 1);
    await warp.delete("e:1");
    await warp.setMany([
      ["e:2", 1],
      ["l:2", 1],
    ]);
    await warp.batch([
      { op: "invalidate", key: "e:3" },
      { op: "get", key: "e:4" },
    ]);
    await warp.getOrSet("e:5", () => 5);
    await warp.invalidate({ prefix: "l:" });
    await clock.advance(40);
    expect(told).toEqual(["e:1", "s:1", "e:1", "e:2", "e:3", "e:5", "l:*"]);
  });

  it("what was refused is not published; what may have been done is", async () => {
    const { listening, clock } = busCoreBed();
    const { warp, adapter } = listening();
    const { bus } = listening();
    const told: unknown[] = [];
    await bus.subscribe({ prefix: "" }, (events) => void told.push(...events));
    expect(await codeOf(warp.set("k", 1, { ifVersion: 7 }))).toBe("precondition_failed");
    adapter.failing("batch", () => new WarpError("unavailable", "down"));
    expect(await codeOf(warp.set("k", 1))).toBe("unavailable");
    await clock.advance(20);
    expect(told).toEqual([]);
    adapter.failing("batch", () => new WarpError("unavailable", "lost", { outcome: "unknown" }));
    expect(await codeOf(warp.set("k", 1))).toBe("unavailable");
    await clock.advance(20);
    expect(told).toMatchObject([{ key: "k" }]);
  });

  it("nothing is published before the storage has it", async () => {
    const { listening, clock } = busCoreBed();
    const { warp, adapter } = listening();
    const { bus } = listening();
    let heard = 0;
    await bus.subscribe({ prefix: "" }, () => void heard++);
    adapter.hold("batch");
    const writing = warp.set("k", 1);
    await clock.advance(100);
    expect(heard).toBe(0);
    await adapter.take("batch").answer();
    await writing;
    await clock.settle();
    expect(heard).toBe(1);
  });

  it("refuses a publish timeout out of range", () => {
    const { listening } = busCoreBed();
    for (const publishTimeoutMs of [0, 120_001, Number.NaN])
      expect(() => listening({ publishTimeoutMs })).toThrow("publishTimeoutMs");
  });
});

describe("hearing", () => {
  it("DI-10 of ten nodes over a storage that tells nobody all read the new value once it was published", async () => {
    const { listening, clock, leaks } = busCoreBed();
    const nodes = Array.from({ length: 10 }, () => listening().warp);
    await clock.settle();
    const [first] = nodes;
    await first?.set("k", "A");
    await clock.advance(20);
    const readAll = () => Promise.all(nodes.map((node) => node.get("k")));
    expect(new Set(await readAll())).toEqual(new Set(["A"]));
    await clock.advance(1_000);
    // All serve it from L1.
    expect(new Set(nodes.map((node) => node.peek("k")))).toEqual(new Set(["A"]));
    await first?.set("k", "B");
    await clock.settle();
    expect(nodes.map((node) => node.peek("k"))).toEqual(["B", ...Array.from({ length: 9 }, () => undefined)]);
    expect(new Set(await readAll())).toEqual(new Set(["B"]));
    // The publisher kept what it wrote.
    expect(first?.stats()).toMatchObject({ published: 2, busEvents: 0, misses: 0 });
    expect(nodes.slice(1).map((node) => node.stats().busEvents)).toEqual(Array.from({ length: 9 }, () => 2));
    await Promise.all(nodes.map((node) => node.close()));
    expect(clock.timers).toBe(0);
    expect(leaks).toEqual([]);
  });

  it("CO3 what was read before the event does not enter L1 after it", async () => {
    const { listening, clock } = busCoreBed();
    const [one, other] = [listening(), listening()];
    await one.warp.set("k", "old");
    await clock.advance(20);
    other.adapter.hold("getMany");
    const reading = other.warp.get("k");
    await clock.settle();
    const load = other.adapter.take("getMany");
    await load.act();
    await one.warp.set("k", "new");
    await clock.advance(20);
    other.adapter.release("getMany");
    await load.answer();
    // The load was overtaken, and is asked for again.
    expect(await reading).toBe("new");
    expect(other.warp.peek("k")).toBe("new");
    expect(other.warp.stats().refusedFills).toBe(1);
  });

  it("CO3 a reader does not join a load from before the event", async () => {
    const { listening, clock } = busCoreBed();
    const [one, other] = [listening(), listening()];
    await one.warp.set("k", "old");
    await clock.advance(20);
    other.adapter.hold("getMany");
    const before = other.warp.get("k");
    await clock.settle();
    const load = other.adapter.take("getMany");
    await load.act();
    other.adapter.release("getMany");
    await one.warp.set("k", "new");
    await clock.advance(20);
    expect(await other.warp.get("k")).toBe("new");
    await load.answer();
    expect(await before).toBe("new");
  });

  it("a prefix and a tag drop what they name, and tell it with source bus", async () => {
    const { listening, clock } = busCoreBed();
    const [one, other] = [listening(), listening()];
    const told: unknown[] = [];
    for (const [key, tags] of [
      ["p:1", ["t"]],
      ["p:2", []],
      ["q:1", ["t"]],
      ["q:2", []],
    ] as const) {
      await one.warp.set(key, key, { tags });
    }
    await clock.advance(40);
    for (const key of ["p:1", "p:2", "q:1", "q:2"]) await other.warp.get(key);
    const held = () => ["p:1", "p:2", "q:1", "q:2"].filter((key) => other.warp.peek(key) !== undefined);
    expect(held().length).toBe(4);
    other.warp.on("invalidate", (event) => told.push(event));
    await one.warp.invalidate({ tags: ["t"] });
    await clock.advance(20);
    expect(held()).toEqual(["p:2", "q:2"]);
    await one.warp.invalidate({ prefix: "p:" });
    await clock.advance(20);
    expect(held()).toEqual(["q:2"]);
    await one.warp.invalidate({ prefix: "" });
    await clock.advance(20);
    expect(held()).toEqual([]);
    expect(told).toEqual([
      { tag: "t", source: "bus" },
      { prefix: "p:", source: "bus" },
      { prefix: "", source: "bus" },
    ]);
  });

  it("SB5 a node has acted when the copy is gone and stays out, so that a quorum over the bus means something", async () => {
    const { listening, clock } = busCoreBed();
    const [one, other] = [listening(), listening()];
    await one.warp.set("k", 1);
    await clock.advance(20);
    await other.warp.get("k");
    const { nodes } = await one.bus.publishAndAwait({ key: "k" }, { nodes: 1 });
    expect(nodes).toEqual([other.bus.node]);
    expect(other.warp.peek("k")).toBeUndefined();
  });

  it("an event that is an entry of the storage's own log costs a node nothing that it wrote at or after it", async () => {
    const { listening, clock } = busCoreBed();
    const [one, other] = [listening(), listening()];
    const { version, cursor } = await one.warp.set("k", 1);
    await clock.advance(20);
    await other.warp.set("before", 1);
    const [epoch = ""] = cursor.split(".");
    const tell = async (key: string, revision: number) => {
      const event = { key, position: { shard: 0, epoch, revision } };
      // As a bus does that is the log itself.
      const published = other.bus.publish(event);
      await clock.advance(20);
      await published;
    };
    await tell("k", version);
    expect(one.warp.peek("k")).toBe(1);
    await tell("k", version + 5);
    expect(one.warp.peek("k")).toBeUndefined();
  });

  it("CO4 a bus that gives a node its own events back does not cost it what it wrote", async () => {
    const { listening, clock } = busCoreBed();
    const { warp, bus } = listening({}, (end) => {
      const subscribe = end.subscribe.bind(end);
      end.subscribe = (interest, listener, options) => {
        const publish = end.publish.bind(end);
        end.publish = async (message, limits) => {
          await publish(message, limits);
          await listener([{ ...message, id: "echo", node: end.node }]);
        };
        return subscribe(interest, listener, options);
      };
      return end;
    });
    await clock.settle();
    await warp.set("k", 1);
    await clock.advance(20);
    expect(bus.stats().published).toBe(1);
    expect(warp.peek("k")).toBe(1);
  });

  it("tabs without a storage: what one changes leaves the others' memory", async () => {
    const { listening, clock } = busCoreBed();
    const [one, other] = Array.from({ length: 2 }, (_, i) =>
      listening({ adapter: nullAdapter({ clock, random: seeded(i + 1) }) }),
    );
    await clock.settle();
    await one?.warp.set("k", "one");
    await clock.advance(20);
    await other?.warp.set("k", "other");
    expect(other?.warp.peek("k")).toBe("other");
    await clock.advance(20);
    expect([one?.warp.peek("k"), other?.warp.peek("k")]).toEqual([undefined, "other"]);
  });

  it("a bus that can't be listened to is tried again, each failure an error event; the node works meanwhile", async () => {
    const { listening, clock } = busCoreBed();
    let isDown = true;
    const { warp, errors } = listening({}, (bus) => {
      const subscribe = bus.subscribe.bind(bus);
      bus.subscribe = (...args) => (isDown ? Promise.reject(new Error("down")) : subscribe(...args));
      return bus;
    });
    const { warp: other } = listening();
    await clock.advance(1_000);
    expect(errors.length).toBe(4);
    await other.set("k", "A");
    expect(await warp.get("k")).toBe("A");
    isDown = false;
    await clock.advance(1_000);
    expect(errors.length).toBe(4);
    await other.set("k", "B");
    await clock.advance(20);
    expect(warp.peek("k")).toBeUndefined();
  });

  it("CO10 close() ends the subscription, the end of the bus and every timer, also of publications that hang", async () => {
    const { listening, clock } = busCoreBed();
    const { warp, bus } = listening({ publishTimeoutMs: 60_000 }, (end) =>
      publishing(end, () => new Promise(() => {})),
    );
    const down = listening({}, (end) => {
      end.subscribe = () => Promise.reject(new Error("down"));
      return end;
    });
    await clock.settle();
    expect(bus.stats().subscriptions).toBe(1);
    await warp.set("k", 1);
    expect(clock.timers).toBeGreaterThan(0);
    await warp.close();
    await down.warp.close();
    expect(bus.stats().subscriptions).toBe(0);
    expect(await codeOf(bus.health())).toBe("warp_closed");
    expect(clock.timers).toBe(0);
  });
});
