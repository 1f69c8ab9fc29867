import { describe, expect, test } from "vitest";
import { host } from "#host";
import { utf8 } from "../../src/runtime/bytes.ts";
import { RelayBed } from "../support/relay-bed.ts";
import { WatchClient } from "../support/watch-client.ts";

async function withBed(work: (bed: RelayBed) => Promise<void>, create = true): Promise<void> {
  await host.withSql(async (sql) => {
    const bed = new RelayBed(sql, 2);
    bed.faults = { lost: 0, doubled: 0, delayMs: 0 };
    if (create) await bed.bed.create();
    await work(bed);
    expect(bed.reported).toEqual([]);
  });
}

/** A client of a relay, with its socket. */
async function watcher(bed: RelayBed, relay = 0) {
  bed.next = relay;
  const client = new WatchClient();
  const socket = await bed.connect(client);
  return { client, socket };
}

describe("WA8 a shard and its relays", () => {
  test("feed and are fed only when something happens; then nothing is due and no timer runs", () =>
    withBed(async (bed) => {
      const watch = await bed.watch(await watcher(bed), 1, { target: { prefix: "a" } });
      await bed.bed.set("a1", "1");
      await bed.pass(3_000);
      expect(watch.told).toEqual(["1 set a1 1"]);
      const { feeds, pulls } = bed;
      await bed.pass(60_000);
      expect([bed.feeds, bed.pulls]).toEqual([feeds, pulls]);
      expect(bed.clock.timers).toBe(0);
      // What remains is that of tokens and leases: none. The relay looks once in ten minutes.
      expect(bed.bed.alarmMs).toBeUndefined();
      expect((bed.sites[0]?.alarmMs ?? 0) - bed.clock.now()).toBeGreaterThan(500_000);
    }));

  test("an alarm is set in the transaction that wrote what a relay does not have: no later instance is needed to notice", () =>
    withBed(async (bed) => {
      const watch = await bed.watch(await watcher(bed), 1, { target: { prefix: "a" } });
      await bed.pass(3_000);
      // Feeds do not get through, and the instance ends.
      bed.faults = { lost: 100, doubled: 0, delayMs: 0 };
      await bed.bed.set("a1", "1");
      expect((bed.bed.alarmMs ?? Number.POSITIVE_INFINITY) - bed.clock.now()).toBeLessThanOrEqual(2_000);
      bed.restart();
      bed.faults = { lost: 0, doubled: 0, delayMs: 0 };
      await bed.pass(3_000);
      expect(watch.told).toEqual(["1 set a1 1"]);
    }));

  test("an instance of a relay that wakes through a feed takes its watchers up where their sockets say", () =>
    withBed(async (bed) => {
      const who = await watcher(bed);
      const watch = await bed.watch(who, 1, { target: { prefix: "a" } });
      await bed.bed.set("a1", "1");
      await bed.pass(3_000);
      // What a wake-up finds may be older than what was told: the attachment of then.
      const before = structuredClone(who.socket.attachment);
      await bed.bed.set("a2", "2");
      await bed.bed.set("b", "for nobody");
      await bed.pass(3_000);
      who.socket.attachment = before;
      bed.sites[0]?.restart(true);
      const { pulls } = bed;
      await bed.bed.set("a3", "3");
      await bed.pass(1_000);
      expect(bed.pulls).toBeGreaterThan(pulls);
      expect(watch.told).toEqual(["1 set a1 1", "2 set a2 2", "4 set a3 3"]);
      // And one that is woken by a watcher asks first.
      bed.sites[0]?.restart(true);
      const other = await bed.watch(who, 2, { target: { key: "a3" } }, "snapshot");
      await bed.pass(100);
      expect(other.state).toEqual(new Map([["a3", 4]]));
    }));

  test("watchers may be there before the space; its first entry reaches them without a gap", () =>
    withBed(async (bed) => {
      const watch = await bed.watch(await watcher(bed), 1, { target: { prefix: "" } });
      const state = await bed.watch(await watcher(bed, 1), 1, { target: { prefix: "" } }, "snapshot");
      expect(watch.position).toEqual({ epoch: "0000000000000000", revision: 0 });
      // The shard's instance that knew of them has ended meanwhile.
      bed.restart();
      await bed.bed.create();
      await bed.bed.set("a", "1");
      await bed.pass(3_000);
      expect(watch.told).toEqual(["1 set a 1"]);
      expect(state.told).toEqual(["snapshot", "done", "1 set a 1"]);
    }, false));

  test("WA2 a cursor that the relay has not reached is asked about, and only one that nobody has reached is refused", () =>
    withBed(async (bed) => {
      await bed.watch(await watcher(bed), 1, { target: { prefix: "" } });
      bed.faults = { lost: 100, doubled: 0, delayMs: 0 };
      await bed.bed.set("a1", "1");
      await bed.bed.set("a2", "2");
      const epoch = bed.bed.shard.published.position?.epoch ?? "";
      bed.faults = { lost: 0, doubled: 0, delayMs: 0 };
      const who = await watcher(bed);
      const behind = await bed.watch(who, 2, { target: { prefix: "" } }, { epoch, revision: 1 });
      const future = await bed.watch(who, 3, { target: { prefix: "" } }, { epoch, revision: 3 });
      const elsewhere = await bed.watch(
        who,
        4,
        { target: { prefix: "" } },
        { epoch: "feedfeedfeedfeed", revision: 1 },
      );
      await bed.pass(100);
      expect(behind.told).toEqual(["2 set a2 2"]);
      expect(future.ended).toBe("invalid_cursor");
      expect(elsewhere.told).toEqual(["gap epoch", "snapshot", "done"]);
    }));

  test("OU1 calls of watchers are made at the shard, as of nobody's session; one whose way breaks is of unknown outcome", () =>
    withBed(async (bed) => {
      const { socket } = await watcher(bed);
      const call = (id: number, m: "mutate" | "read", a: unknown) =>
        bed.say(socket, { t: "call", id, m, a: [a] });
      await call(1, "mutate", {
        ...bed.bed.scope(),
        mutations: [{ kind: "delete", opId: bed.bed.opId(), key: "gone" }],
      });
      await bed.pass(100);
      expect(socket.of("ok")).toMatchObject([{ id: 1, r: { verdicts: [{ outcome: "ok" }] } }]);
      bed.faults = { lost: 100, doubled: 0, delayMs: 0 };
      await call(2, "mutate", {
        ...bed.bed.scope(),
        mutations: [{ kind: "delete", opId: bed.bed.opId(), key: "gone" }],
      });
      await bed.pass(100);
      expect(socket.of("err")).toMatchObject([{ id: 2, e: { code: "unavailable", outcome: "unknown" } }]);
    }));

  test("WA7 what is not retained comes behind what was before it, once; what may have been lost on the way is told as missed", () =>
    withBed(async (bed) => {
      const who = await watcher(bed);
      const watch = await bed.watch(who, 1, { target: { prefix: "a" } });
      const order: string[] = [];
      const { heard } = who.socket;
      who.socket.heard = (frame) => {
        heard(frame);
        if (frame.t === "we" || frame.t === "msg" || frame.t === "missed") order.push(frame.t);
      };
      await bed.bed.set("a1", "1");
      await bed.publish({ key: "a1" }, "hi", false);
      await bed.pass(100);
      expect(order).toEqual(["we", "msg"]);
      expect(who.client.messages).toEqual(["publish a1 hi"]);
      bed.faults = { lost: 100, doubled: 0, delayMs: 0 };
      await bed.publish({ key: "a1" }, "lost", false);
      await bed.pass(100);
      bed.faults = { lost: 0, doubled: 0, delayMs: 0 };
      await bed.pass(3_000);
      expect(who.client.missed).toBe(1);
      expect(who.client.messages).toEqual(["publish a1 hi"]);
      expect(watch.told).toEqual(["1 set a1 1"]);
    }));

  test("a relay whose last watcher goes is fed no more, and again when the next one comes", () =>
    withBed(async (bed) => {
      const who = await watcher(bed);
      await bed.watch(who, 1, { target: { prefix: "a" } });
      await bed.bed.set("a1", "1");
      await bed.pass(3_000);
      who.socket.closedWith = { code: 1000, reason: "" };
      bed.closed(who.socket);
      await bed.pass(100);
      const { feeds } = bed;
      await bed.bed.set("a2", "2");
      await bed.pass(5_000);
      expect(bed.feeds).toBe(feeds);
      const epoch = bed.bed.shard.published.position?.epoch ?? "";
      const next = await bed.watch(
        await watcher(bed),
        1,
        { target: { prefix: "a" } },
        { epoch, revision: 1 },
      );
      await bed.bed.set("a3", "3");
      await bed.pass(100);
      expect(next.told).toEqual(["2 set a2 2", "3 set a3 3"]);
    }));

  test("a registration that a restored backup has lost comes back by itself", () =>
    withBed(async (bed) => {
      const watch = await bed.watch(await watcher(bed), 1, { target: { prefix: "a" } });
      await bed.pass(3_000);
      bed.bed.sql.run("DELETE FROM relays");
      bed.restart();
      await bed.bed.set("a1", "1");
      await bed.pass(60_000);
      expect(watch.told).toEqual([]);
      await bed.pass(600_000);
      expect(watch.told).toEqual(["1 set a1 1"]);
    }));

  test("so it does for a relay that has slept meanwhile", () =>
    withBed(async (bed) => {
      const watch = await bed.watch(await watcher(bed), 1, { target: { prefix: "a" } });
      await bed.pass(3_000);
      bed.bed.sql.run("DELETE FROM relays");
      bed.restart();
      await bed.pass(590_000);
      // As an instance that the alarm itself has woken.
      bed.sites[0]?.restart(true);
      await bed.bed.set("a1", "1");
      await bed.pass(20_000);
      expect(watch.told).toEqual(["1 set a1 1"]);
    }));

  test("what is published while a relay answers that nobody is there yet is not kept back", () =>
    withBed(async (bed) => {
      await bed.bed.set("a0", "0");
      // The answer to the first feed is under way for longer than it takes to come in and to watch.
      bed.slowAnswers = 50;
      const who = await watcher(bed);
      bed.slowAnswers = 0;
      const watch = await bed.watch(who, 1, { target: { prefix: "a" } });
      await bed.publish({ key: "a1" }, "hi", false);
      await bed.bed.set("a1", "1");
      await bed.clock.advance(500);
      expect(watch.told).toEqual(["2 set a1 1"]);
      expect(who.client.messages).toEqual(["publish a1 hi"]);
    }));

  test("WA7 what is not retained waits for older entries that a feed has left out", () =>
    withBed(async (bed) => {
      const who = await watcher(bed);
      const watch = await bed.watch(who, 1, { target: { prefix: "a" } });
      const order: string[] = [];
      const { heard } = who.socket;
      who.socket.heard = (frame) => {
        heard(frame);
        if (frame.t === "we" || frame.t === "msg") order.push(frame.t);
      };
      bed.faults = { lost: 100, doubled: 0, delayMs: 0 };
      await bed.bed.set("a1", "1");
      bed.faults = { lost: 0, doubled: 0, delayMs: 0 };
      // As of a shard that no longer knows how far this relay is.
      const epoch = bed.bed.shard.published.position?.epoch ?? "";
      await bed.sites[0]?.relay.feed({
        batch: { epoch, after: 1, to: 1, entries: [], floor: 0, shards: 1 },
        messages: ["one", "two"].map((text) => ({
          target: { key: "a1" },
          payload: { bytes: utf8(text), contentType: "text/plain" },
        })),
        missed: 0,
        turn: "",
      });
      await bed.pass(50);
      expect(watch.told).toEqual(["1 set a1 1"]);
      expect(who.client.messages).toEqual(["publish a1 one", "publish a1 two"]);
      expect(order).toEqual(["we", "msg", "msg"]);
    }));
});
