import { describe, expect, it } from "vitest";
import { host } from "#host";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { type Mutation, scopeOpId } from "../../src/protocol/shard-api.ts";
import type { FrameCodec } from "../../src/protocol/wire/frame-codec.ts";
import { msgpackCodec } from "../../src/protocol/wire/msgpack/msgpack-codec.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { Presence } from "../../src/watchbus/presence.ts";
import { shardWatchBus } from "../../src/watchbus/shard/shard-watch-bus.ts";
import { watchBusContract } from "../contract/watchbus.ts";
import { events, shortly, type WatchBusBed, WatchTester } from "../contract/watchbus-bed.ts";
import { directConnection } from "../support/direct-connection.ts";
import { NodeBed, type WiredNode } from "../support/node-bed.ts";
import { seeded } from "../support/seeded.ts";

const payloadOf = (value: string | Uint8Array) =>
  typeof value === "string"
    ? { bytes: utf8(value), contentType: "text/plain" }
    : { bytes: value, contentType: "application/octet-stream" };

/** Nodes over sockets to a real shard and its hub, in virtual time. */
async function withBed(
  work: (bed: WatchBusBed & { readonly shard: NodeBed; node(): WiredNode }) => Promise<void>,
  codec?: FrameCodec,
): Promise<void> {
  await host.withSql(async (sql) => {
    const shard = new NodeBed(sql, {}, { subject: "test", isAdmin: true }, { logMaxAgeMs: 1_000 });
    await shard.bed.create();
    const { clock } = shard;
    const random = seeded(1);
    const writer = new SpaceClient({
      connection: directConnection("test", () => shard.bed.shard),
      timers: clock,
    });
    const opId = (): string => scopeOpId("bed", uuidv7(clock, random));
    const apply = async (mutation: Mutation): Promise<void> =>
      expect(await writer.mutate([mutation])).toMatchObject([[{ answer: { outcome: "ok" } }]]);
    const node = (): WiredNode => shard.node({ delayMs: 0, ...(codec === undefined ? {} : { codec }) });
    await work({
      shard,
      node,
      random,
      now: () => clock.now(),
      open: () => {
        const { client, warp } = node();
        const bus = shardWatchBus({ client, timers: clock });
        const close = bus.close.bind(bus);
        bus.close = async () => {
          await close();
          await warp.close();
        };
        return bus;
      },
      set: (key, value, expiresInMs) =>
        apply({
          kind: "set",
          opId: opId(),
          key,
          payload: payloadOf(value),
          ...(expiresInMs === undefined ? {} : { expiresInMs }),
        }),
      delete: (key) => apply({ kind: "delete", opId: opId(), key }),
      together: async (values) => {
        const success = Object.entries(values).map(
          ([key, value]) => ({ kind: "set", key, payload: payloadOf(value) }) as const,
        );
        const transaction = { opId: opId(), compare: [], success, failure: [] };
        expect(await writer.transact(transaction)).toMatchObject({ answer: { outcome: "ok" } });
      },
      forget: async () => {
        // The log keeps what is younger than op ids count; what goes, goes after the next entry.
        for (let times = 0; times < 2; times++) {
          await clock.advance(400_000);
          await apply({ kind: "set", opId: opId(), key: "zz", payload: payloadOf("") });
        }
        await clock.advance(400_000);
      },
      advance: (ms) => clock.advance(ms),
      done: async (call) => {
        let isOver = false;
        const end = (): void => {
          isOver = true;
        };
        call.then(end, end);
        await clock.settle();
        for (let steps = 0; steps < 200 && !isOver; steps++) await clock.advance(5);
        return await call;
      },
    });
    expect(shard.reported).toEqual([]);
  });
}

watchBusContract({
  name: "shard over sockets",
  supports: { resume: true, snapshot: true, publish: true, remote: true, presence: true },
  run: withBed,
});

watchBusContract({
  name: "shard over sockets, by MessagePack",
  supports: { resume: true, snapshot: true, publish: true, remote: true, presence: true },
  run: (work) => withBed(work, msgpackCodec),
});

describe("watching shards", () => {
  const state = ["set", "delete", "expire"] as const;

  it("without a connection that stays open nothing can be watched, and publications reach those who have one", () =>
    withBed(async (bed) => {
      const connection = directConnection("test", () => bed.shard.bed.shard);
      const { clock } = bed.shard;
      const bus = shardWatchBus({ client: new SpaceClient({ connection, timers: clock }), timers: clock });
      expect(bus.supports).toMatchObject({ resume: false, snapshot: false, publish: true });
      await expect(bus.watch({ key: "k" })).rejects.toMatchObject({ code: "unsupported" });
      const watch = await WatchTester.open(bed, { key: "k" });
      await bus.publish({ key: "k" }, payloadOf("hi"), { opId: scopeOpId("x", uuidv7(clock, bed.random)) });
      expect(await watch.told()).toEqual(["publish k=hi"]);
    }));

  it("WA2 a watch goes on over the next connection: nothing is lost, nothing comes twice, and it says that publications may have passed it by", () =>
    withBed(async (bed) => {
      const { client, wire } = bed.node();
      const bus = shardWatchBus({ client, timers: bed.shard.clock });
      const watch = await WatchTester.open(bed, { prefix: "" }, {}, bus);
      await bed.set("a", "1");
      expect(await watch.told()).toEqual(["set a=1"]);
      wire.cut();
      await bed.set("a", "2");
      await bed.delete("a");
      await bed.advance(5_000);
      await bed.set("a", "3");
      expect(await watch.told()).toEqual(["missed", "set a=2", "delete a", "set a=3"]);
      bed.shard.restart(true);
      await bed.set("a", "4");
      expect(await watch.told()).toEqual(["set a=4"]);
    }));

  it("WA2 over 30 seeds of cuts and new instances every change is told once and in order, from `now`, a snapshot and a cursor", async () => {
    for (let seed = 1; seed <= 30; seed++) {
      await withBed(async (bed) => {
        const random = seeded(seed);
        const { client, wire } = bed.node();
        const bus = shardWatchBus({ client, timers: bed.shard.clock });
        const written: string[] = [];
        const write = async (): Promise<void> => {
          const key = `k${random.below(4)}`;
          await bed.set(key, String(written.length));
          written.push(`set ${key}=${written.length}`);
        };
        for (let i = 0; i < 3; i++) await write();
        const now = await WatchTester.open(bed, { prefix: "k" }, { ops: state }, bus);
        const from = { cursor: now.watch.cursor ?? "" };
        const snapshot = await WatchTester.open(bed, { prefix: "k" }, { ops: state, from: "snapshot" }, bus);
        for (let step = 0; step < 40; step++) {
          const dice = random.below(12);
          if (dice === 0) wire.cut();
          else if (dice === 1) bed.shard.restart(random.below(2) === 0);
          else if (dice < 4) await bed.advance(random.below(40));
          else await write();
        }
        await bed.advance(60_000);
        const late = await WatchTester.open(bed, { prefix: "k" }, { ops: state, from }, bus);
        const rest = written.slice(3);
        expect(await now.told(), `seed ${seed}`).toEqual(rest);
        expect((await snapshot.told()).slice(1), `seed ${seed}`).toEqual(rest);
        expect(await late.told(), `seed ${seed}`).toEqual(rest);
        expect(late.watch.cursor).toBe(now.watch.cursor);
      });
    }
  });

  it("WA7 a reader that is slow makes its shard wait, not others; read on, it is told all", () =>
    withBed(async (bed) => {
      const { client } = bed.node();
      const bus = shardWatchBus({ client, timers: bed.shard.clock });
      const slow = await bed.done(bus.watch({ prefix: "" }, { ops: state }));
      const quick = await WatchTester.open(bed, { prefix: "" }, { ops: state, mode: "keys" }, bus);
      const value = "x".repeat(16_000);
      for (let i = 0; i < 300; i++) await bed.set(`k${i}`, `${i} ${value}`);
      expect(await quick.told()).toHaveLength(300);
      const reader = slow[Symbol.asyncIterator]();
      const numbers: number[] = [];
      let bytes = 0;
      while (numbers.length < 300) {
        const { value: items = [] } = await bed.done(reader.next());
        bytes = Math.max(bytes, items.length * 16_000);
        for (const { payload } of events(items)) {
          numbers.push(Number(fromUtf8(payload?.bytes ?? new Uint8Array()).split(" ")[0]));
        }
      }
      expect(numbers).toEqual(Array.from({ length: 300 }, (_, i) => i));
      // What waited for it was about a megabyte, and not the five that were written.
      expect(bytes).toBeLessThan(1_500_000);
    }));

  it("WA11 presence goes on over the next connection: nobody knows while it is broken, and then all do", () =>
    withBed(async (bed) => {
      const [here, there] = [bed.node(), bed.node()];
      const [mine, theirs] = [new Presence("me"), new Presence("them")];
      for (const [{ client }, presence] of [
        [here, mine],
        [there, theirs],
      ] as const) {
        const bus = shardWatchBus({ client, timers: bed.shard.clock });
        await WatchTester.open(bed, { prefix: "" }, { presence }, bus);
      }
      await bed.advance(100);
      const shown = ({ members }: Presence): unknown[] => [...members.values()].sort();
      expect(shown(mine)).toEqual(["me", "them"]);
      const before = mine.me;
      here.wire.cut();
      expect([mine.isCurrent, mine.me, shown(mine)]).toEqual([false, undefined, ["me", "them"]]);
      mine.show("me again");
      await bed.advance(5);
      expect(shown(theirs)).toEqual(["them"]);
      await bed.advance(5_000);
      for (const presence of [mine, theirs]) expect(shown(presence)).toEqual(["me again", "them"]);
      expect([mine.isCurrent, mine.members.get(mine.me ?? "")]).toEqual([true, "me again"]);
      expect(mine.me).not.toBe(before);
      bed.shard.restart(true);
      theirs.show("still here");
      await bed.advance(100);
      expect(shown(mine)).toEqual(["me again", "still here"]);
    }));

  it("a watch ends with an error when its space is gone", () =>
    withBed(async (bed) => {
      const watch = await WatchTester.open(bed, { prefix: "" });
      const { shard } = bed.shard.bed;
      for (const step of ["begin", "finish"] as const) await bed.done(shard.deleteSpace("test", step));
      await bed.advance(1_000);
      expect(watch.items.map(shortly)).toEqual([]);
      expect(watch.end).toMatchObject({ error: { code: "space_not_found" } });
    }));
});
