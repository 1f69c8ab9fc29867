import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { Fallback, Proposal } from "../../../src/fallback/fallback.ts";
import { memoryFallback } from "../../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../../src/fallback/memory/memory-streams.ts";
import type { StreamFault } from "../../../src/fallback/memory/stream-faults.ts";
import { type CallScope, type Mutation, scopeOpId } from "../../../src/protocol/shard-api.ts";
import { utf8 } from "../../../src/runtime/bytes.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import { openFollower } from "../../../src/shard/fallback/follower.ts";
import type { FallbackRegistry } from "../../../src/shard/follow-slot.ts";
import { BackedShard } from "../../support/backed-shard.ts";
import { HubBed } from "../../support/hub-bed.ts";
import { seeded } from "../../support/seeded.ts";
import { expectReply, ShardBed } from "../../support/shard-bed.ts";
import { StrongBed, strongKeys } from "../../support/strong-bed.ts";
import { type VirtualClock, virtualClock } from "../../support/virtual-clock.ts";

/** A stream that shards of other beds follow. */
class Around {
  readonly streams: MemoryStreams;
  readonly time: VirtualClock;
  readonly random = seeded(3);
  fault: StreamFault | undefined;

  constructor(time = virtualClock()) {
    this.time = time;
    this.streams = new MemoryStreams(time);
  }

  get registry(): FallbackRegistry {
    return { names: ["memory"], load: async () => ({ openFollower }), open: () => this.open() };
  }

  open(): Fallback {
    return memoryFallback({ streams: this.streams, timers: this.time, faults: () => this.fault });
  }

  propose(spaceId: string | undefined, shard: number, mutation: Partial<Mutation>): string {
    const opId = scopeOpId("test", uuidv7(this.time, this.random));
    const payload = { bytes: utf8("proposed"), contentType: "text/plain" };
    const proposal: Proposal = {
      mutation: { kind: "set", opId, key: "k", payload, ...mutation } as Mutation,
      spaceId: spaceId ?? "",
      registrations: 0,
      node: "node-1",
      atMs: this.time.now(),
    };
    return this.streams.append(shard, [proposal])[0] ?? "";
  }
}

describe("what is proposed around a shard, and what else the shard is", () => {
  it("SB8 ST2 a key that is held by now is given up by its holders first, and no quorum is asked for", () =>
    host.withSql(async (sql) => {
      const around = new Around();
      const statics = [strongKeys("s*"), strongKeys("q*", { quorum: 3 })];
      const strong = new StrongBed(sql, { fallbacks: around.registry, statics }, around.time);
      await strong.bed.create({ fallback: "memory" });
      const { bed, time } = strong;
      bed.nowMs = time.now();
      const settled = async () => {
        await time.settle();
        return true;
      };
      void strong.set("s1", "before");
      await settled();
      await strong.holder("one");
      expect(await strong.hold("one", "s1")).toBe(true);
      around.propose(bed.spaceId, 0, { key: "s1" });
      const place = around.propose(bed.spaceId, 0, { key: "q1" });
      const asked = bed.shard.read({ ...bed.scope(), keys: ["s1", "q1"], drain: place });
      await settled();
      expect(strong.members.get("one")?.inbox.map(({ invalidation }) => invalidation.keys)).toEqual([["s1"]]);
      expect(await strong.text("s1")).toBe("before");
      strong.members.acknowledge("one");
      await settled();
      const texts = expectReply(await asked).entries.map((entry) =>
        new TextDecoder().decode(entry?.payload.bytes),
      );
      expect(texts).toEqual(["proposed", "proposed"]);
      expect(around.streams.read(0, undefined, 1)).toEqual({ proposals: [], head: place, applied: place });
    }));

  it("SB8 ST5 an instance that ends while holders are asked leaves nothing that refuses what was acknowledged", () =>
    host.withSql(async (sql) => {
      const around = new Around();
      const strong = new StrongBed(
        sql,
        { fallbacks: around.registry, statics: [strongKeys("s*")] },
        around.time,
      );
      await strong.bed.create({ fallback: "memory" });
      const { bed, time } = strong;
      bed.nowMs = time.now();
      void strong.set("s1", "before");
      void strong.set("s2", "before");
      await time.settle();
      await strong.holder("one");
      for (const key of ["s1", "s2"]) expect(await strong.hold("one", key)).toBe(true);
      // A batch of which a node has heard nothing; it then proposes of it what may be.
      const payload = { bytes: utf8("tried"), contentType: "text/plain" };
      const tried = { kind: "set", opId: bed.opId(), key: "e2", payload } as const;
      const trying = bed.shard.mutate({ ...bed.scope(), mutations: [strong.setting("s2", "after"), tried] });
      around.propose(bed.spaceId, 0, { key: "e1" });
      const before = around.propose(bed.spaceId, 0, { key: "s1" });
      const reading = bed.shard.read({ ...bed.scope(), keys: ["s1"], drain: before });
      for (const call of [trying, reading]) call.catch(() => undefined);
      await time.settle();
      expect(bed.sql.all("SELECT * FROM intents").length).toBe(2);
      strong.restart();
      const place = around.propose(bed.spaceId, 0, tried);
      const read = () => bed.shard.read({ ...bed.scope(), keys: ["s1", "e1", "e2"], drain: place });
      void read();
      // Permissions of the instance before run out.
      await time.advance(6_000);
      bed.nowMs = time.now();
      const asked = read();
      await time.advance(1_000);
      const texts = expectReply(await asked).entries.map((entry) =>
        entry === undefined ? "absent" : new TextDecoder().decode(entry?.payload.bytes),
      );
      expect(texts).toEqual(["proposed", "proposed", "tried"]);
      expect(expectReply(await bed.shard.usage(bed.scope())).fallback).toMatchObject({
        applied: 3,
        refused: 0,
      });
    }));

  for (const trouble of ["had been followed", "was away"] as const) {
    it(`SB8 a stream's storage that has lost everything hears of the space again, if it ${trouble} before`, () =>
      host.withSql(async (sql) => {
        const around = new Around();
        const { time, streams } = around;
        const empty = streams.snapshot();
        const bed = new ShardBed(sql, { clock: time, timers: time, fallbacks: around.registry });
        await bed.create({ fallback: "memory" });
        const drained = async (place: string) => {
          const asked = bed.shard.read({ ...bed.scope(), keys: ["k"], drain: place });
          await time.advance(10);
          return await asked;
        };
        if (trouble === "was away") {
          await drained("1-0");
          around.fault = { lost: "before" };
          await drained("1-0");
        } else await drained(around.propose(bed.spaceId, 0, {}));
        expect(streams.notice).toMatchObject({ space: { id: bed.spaceId } });
        empty();
        around.fault = undefined;
        expect(streams.notice).toBeUndefined();
        await drained(around.propose(bed.spaceId, 0, {}));
        expect(streams.notice).toMatchObject({ space: { id: bed.spaceId } });
      }));
  }

  it("SB8 AD3 what is applied goes on to the storage behind the shard, and waits while too much waits for that", () =>
    host.withSql(async (sql) => {
      const around: { now?: Around } = {};
      const registry: FallbackRegistry = {
        names: ["memory"],
        load: async () => ({ openFollower }),
        open: () => (around.now ?? new Around()).open(),
      };
      const backed = new BackedShard(sql, { fallbacks: registry }, { entries: 3, bytes: 1_000_000 });
      const stream = new Around(backed.clock);
      around.now = stream;
      await backed.bed.create({ fallback: "memory", storage: { name: "memory", write: "behind" } });
      const { bed } = backed;
      const first = stream.propose(bed.spaceId, 0, { key: "a" });
      const asked = bed.shard.read({ ...bed.scope(), keys: ["a"], drain: first });
      await backed.advance(100);
      expect(expectReply(await asked).entries[0]).toMatchObject({ key: "a" });
      expect(Object.keys(backed.stored)).toEqual(["a"]);
      backed.fail({ lose: "before" });
      for (let i = 0; i < 5; i++) {
        stream.propose(bed.spaceId, 0, { key: `b${i}` });
        await backed.advance(61_000);
      }
      expect(stream.streams.read(0, undefined, 500).proposals.length).toBeGreaterThan(0);
      const usage = expectReply(await bed.shard.usage(bed.scope()));
      expect(usage.fallback?.error).toMatchObject({ code: "overloaded" });
      backed.fail();
      await backed.advance(200_000);
      expect(Object.keys(backed.stored).sort()).toEqual(["a", "b0", "b1", "b2", "b3", "b4"]);
      expect(stream.streams.read(0, undefined, 500).proposals).toEqual([]);
    }));

  it("SB8 a session that has proposed is welcomed when that is applied; who is no node is not looked for", () =>
    host.withSql(async (sql) => {
      const around: { now?: Around } = {};
      const registry: FallbackRegistry = {
        names: ["memory"],
        load: async () => ({ openFollower }),
        open: () => (around.now ?? new Around()).open(),
      };
      const hub = new HubBed(sql, { fallbacks: registry });
      const stream = new Around(hub.clock);
      around.now = stream;
      await hub.bed.create({ fallback: "memory" });
      await hub.clock.settle();
      const place = stream.propose(hub.bed.spaceId, 0, { key: "a" });
      stream.fault = { delayMs: 100 };
      const socket = await hub.join({ fallback: place });
      expect(socket.of("welcome")).toEqual([]);
      await hub.clock.advance(500);
      expect(socket.of("welcome")).toMatchObject([{ revision: 1 }]);
      expect(await hub.bed.text("a")).toBe("proposed");
      const second = stream.propose(hub.bed.spaceId, 0, { key: "b" });
      const watcher = await hub.join({ fallback: second, follow: false }, { prefixes: [""] });
      expect(watcher.of("welcome")).toMatchObject([{ revision: 1 }]);
      const call = {
        t: "call",
        id: 1,
        m: "read",
        a: [{ ...hub.bed.scope(), keys: ["b"], drain: second }],
      } as const;
      await hub.say(watcher, call);
      expect(watcher.of("err")).toMatchObject([{ e: { code: "forbidden" } }]);
      // A stream that can't be read closes the socket, to be tried again later.
      stream.fault = { lost: "before" };
      const later = await hub.join({ fallback: second });
      await hub.clock.advance(10);
      expect(later.closedWith?.code).toBe(4100);
    }));

  it("SB8 a shard that was never written to holds what is proposed for it, once anyone asks it for anything", () =>
    host.withSql(async (sql) => {
      const around = new Around();
      const { time } = around;
      const home = {
        id: "0123456789abcdef",
        name: "test",
        shards: 2,
        strict: false,
        createdAtMs: 1,
        fallback: "memory",
      };
      const bed = new ShardBed(sql, {
        clock: time,
        timers: time,
        fallbacks: around.registry,
        home: () => ({
          getSpace: async () => ({ space: home, registrations: 0 }),
          getRegistrations: async () => ({ registrations: 0, list: [] }),
        }),
      });
      const place = around.propose(home.id, 1, { key: "a" });
      // A session comes before the shard knows its space.
      await bed.shard.drain(place);
      const scope: CallScope = { space: "test", shard: 1, spaceId: home.id, registrations: 0 };
      const asked = bed.shard.read({ ...scope, keys: ["a"] });
      await time.advance(10);
      expect(expectReply(await asked).entries[0]).toMatchObject({ key: "a" });
      const second = around.propose(home.id, 1, { key: "b" });
      bed.restart();
      const again = bed.shard.read({ ...scope, keys: ["b"], drain: second });
      await time.advance(10);
      expect(expectReply(await again).entries[0]).toMatchObject({ key: "b" });
      expect(around.streams.read(1, undefined, 1).applied).toBe(second);
    }));
});
