import { describe, expect, it } from "vitest";
import { host as runtime } from "#host";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { WarpError } from "../../src/errors.ts";
import type { Position } from "../../src/protocol/position.ts";
import { type Mutation, type ShardApi, scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { shardBus } from "../../src/syncbus/shard/shard-bus.ts";
import type { SyncBus } from "../../src/syncbus/syncbus.ts";
import { codeOf, Ear } from "../contract/syncbus.ts";
import { busHost } from "../support/bus-host.ts";
import { directConnection } from "../support/direct-connection.ts";
import { LogPushes } from "../support/log-pushes.ts";
import { ManualTime } from "../support/manual-time.ts";
import { withShardSpace } from "../support/shard-space.ts";

type Call = (name: string, call: () => Promise<unknown>) => Promise<unknown>;

async function withLog(
  work: (bed: {
    readonly host: ReturnType<typeof busHost>;
    readonly pushes: LogPushes;
    readonly client: SpaceClient;
    end(through?: Call): SyncBus;
    write(...mutations: Mutation[]): Promise<void>;
    set(key: string): Mutation;
  }) => Promise<void>,
  options: { readonly shards?: number; readonly logMaxEntries?: number } = {},
): Promise<void> {
  const host = busHost();
  const time = new ManualTime(host.clock.now());
  await withShardSpace(time, { shards: 1, ...options }, async (shards) => {
    const connect = (through: Call = (_, call) => call()): SpaceClient =>
      new SpaceClient({
        timers: host.timers,
        connection: directConnection(
          "test",
          (index) =>
            new Proxy(shards[index] as ShardApi, {
              get: (target, name) => {
                const method = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
                return (...args: unknown[]) => through(String(name), () => method.apply(target, args));
              },
            }),
        ),
      });
    const client = connect();
    const pushes = new LogPushes(client);
    await pushes.pump();
    const opId = () => scopeOpId("test", uuidv7(host.clock, host.random));
    await work({
      host,
      pushes,
      client,
      end: (through) => shardBus({ ...host, client: connect(through), pushes }),
      write: async (...mutations) => void (await client.mutate(mutations)),
      set: (key) => ({
        kind: "set",
        opId: opId(),
        key,
        payload: { bytes: utf8("v"), contentType: "text/plain" },
      }),
    });
  });
}

const unreachable = (): never => {
  throw new WarpError("unavailable", "no way", { outcome: "fail" });
};

describe("the shard bus", () => {
  it("SB1 tells what the log has, whoever wrote it: sets and deletes as keys, each at its position", () =>
    withLog(async ({ host, pushes, end, write, set }) => {
      const ear = await Ear.on(end());
      const deletion = { ...set("a"), kind: "delete" } as Mutation;
      const prefix: Mutation = { kind: "invalidatePrefix", opId: set("").opId, prefix: "p" };
      const tag: Mutation = { kind: "invalidateTag", opId: set("").opId, tag: "t" };
      await write(set("a"), set("b"), deletion, prefix, tag);
      await pushes.pump();
      await host.clock.settle();
      expect(ear.heard).toEqual(["a", "b", "a", "p*", "#t"]);
      const revisions = ear.events.map(({ position }) => position?.revision ?? 0);
      expect(revisions).toEqual([...revisions].sort((one, other) => one - other));
      expect(new Set(ear.events.map(({ id }) => id)).size).toBe(5);
    }));

  it("SB2 pages that are missing between two pushes are fetched, in order, before the later one is told", () =>
    withLog(async ({ host, pushes, end, write, set }) => {
      const bus = end();
      const ear = await Ear.on(bus);
      pushes.isCut = true;
      await write(set("lost"), set("also"));
      await pushes.pump();
      await host.clock.settle();
      expect(ear.heard).toEqual([]);
      pushes.isCut = false;
      await write(set("seen"));
      await pushes.pump();
      await host.clock.settle();
      expect(ear.heard).toEqual(["lost", "also", "seen"]);
      expect(bus.stats()).toMatchObject({ delivered: 3, errors: 0 });
    }));

  it.each(["lost", "gap"] as const)("SB2 when the connection tells of %s, the log is asked at once", (what) =>
    withLog(async ({ host, pushes, end, write, set }) => {
      const ear = await Ear.on(end());
      pushes.isCut = true;
      await write(set("k"));
      await pushes.pump();
      pushes.tell((listener) =>
        what === "lost" ? listener.lost(0) : listener.gap({ shard: 0, epoch: "x", revision: 9 }),
      );
      await host.clock.settle();
      expect(ear.heard).toEqual(["k"]);
    }),
  );

  it("SB2 where the log does not reach back, or begins anew, everything may have changed", () =>
    withLog(async ({ host, pushes, client, write, set }) => {
      await write(set("k"));
      const { to } = await client.changes({ shard: 0, epoch: "0".repeat(16), revision: 0 });
      const later = { shard: 0, epoch: "f".repeat(16), revision: 7 };
      const gaps = [
        { changes: [], to: { ...to, revision: to.revision + 9 }, complete: true, gap: "compacted" as const },
        { changes: [], to: later, complete: true, gap: "epoch" as const },
      ];
      const changes = async (since: Position) =>
        (since.epoch === to.epoch ? gaps.shift() : undefined) ?? (await client.changes(since));
      const bus = shardBus({
        ...host,
        pushes,
        client: {
          shards: 1,
          space: () => client.space(),
          mutate: client.mutate.bind(client),
          run: client.run.bind(client),
          changes,
        },
      });
      const ear = await Ear.on(bus);
      pushes.push(0, to.epoch, to.revision + 5, to.revision + 6, []);
      await host.clock.settle();
      expect(ear.events).toMatchObject([{ prefix: "", position: { revision: to.revision + 9 } }]);
      pushes.push(0, later.epoch, 5, 7, []);
      await host.clock.settle();
      expect(ear.events).toMatchObject([{}, { prefix: "", position: later }]);
      pushes.push(0, later.epoch, 7, 8, [{ revision: 8, kind: "set", key: "k" }]);
      await host.clock.settle();
      expect(ear.heard).toEqual(["*", "*", "k"]);
    }));

  it("an own publication that is pushed before its reply is not heard, and keeps its place before others", () =>
    withLog(async ({ host, pushes, end, write, set }) => {
      const reply = Promise.withResolvers<void>();
      const bus = end(async (name, call) => {
        const answer = await call();
        if (name === "mutate") await reply.promise;
        return answer;
      });
      const ear = await Ear.on(bus);
      const publishing = bus.publish({ key: "own" });
      await host.clock.settle();
      await write(set("other"));
      await pushes.pump();
      await host.clock.settle();
      expect(ear.heard).toEqual([]);
      reply.resolve();
      await publishing;
      await host.clock.settle();
      expect(ear.heard).toEqual(["other"]);
      expect(bus.stats()).toMatchObject({ published: 1, delivered: 1 });
    }));

  it("an exchange that fails is told of and tried again, at growing distances, until it succeeds", () =>
    withLog(async ({ host, pushes, end, write, set }) => {
      let isDown = false;
      let asked = 0;
      const bus = end((name, call) => {
        if (!isDown || name !== "changes") return call();
        asked++;
        return unreachable();
      });
      const ear = await Ear.on(bus);
      const errors: unknown[] = [];
      bus.onError((error) => errors.push((error as { code: string }).code));
      isDown = true;
      pushes.isCut = true;
      await write(set("k"));
      await pushes.pump();
      pushes.tell((listener) => listener.lost(0));
      await host.clock.settle();
      expect(errors).toEqual(["unavailable"]);
      await host.clock.advance(60_000);
      expect(errors.length).toBeGreaterThan(10);
      expect(errors.length).toBeLessThan(25);
      const before = asked;
      isDown = false;
      await host.clock.advance(5_000);
      expect(asked).toBe(before);
      expect(ear.heard).toEqual(["k"]);
      await bus.close();
      expect(host.clock.timers).toBe(0);
    }));

  it("what happens while a subscription begins is heard", () =>
    withLog(async ({ host, pushes, end, write, set }) => {
      const answers = Promise.withResolvers<void>();
      const bus = end(async (name, call) => {
        const answer = await call();
        if (name === "changes") await answers.promise;
        return answer;
      });
      const subscribing = Ear.on(bus);
      await host.clock.settle();
      // After the head was read, before its answer.
      await write(set("k"));
      await pushes.pump();
      answers.resolve();
      const ear = await subscribing;
      await host.clock.settle();
      expect(ear.heard).toEqual(["k"]);
    }));

  // In workerd no database may be used from another object's test.
  it.skipIf(runtime.name === "workerd")("hears all shards; a prefix is one event of each", () =>
    withLog(
      async ({ host, pushes, end, write, set }) => {
        const [bus, other] = [end(), end()];
        const ears = [await Ear.on(bus), await Ear.on(other)];
        const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
        await write(...keys.map(set));
        await bus.publish({ prefix: "p" });
        await pushes.pump();
        await host.clock.settle();
        expect(ears[0]?.heard.toSorted()).toEqual([...keys].sort());
        expect(ears[1]?.heard.toSorted()).toEqual([...keys, "p*", "p*", "p*"].sort());
        const shards = new Set(ears[1]?.events.map(({ position }) => position?.shard));
        expect(shards.size).toBe(3);
      },
      { shards: 3 },
    ),
  );

  it("follows nothing without a subscription, and begins anew where the log is then", () =>
    withLog(async ({ host, pushes, end, write, set }) => {
      const bus = end();
      expect(pushes.listeners).toBe(0);
      const first = await bus.subscribe({ prefix: "" }, () => {});
      expect(pushes.listeners).toBe(1);
      await first.end();
      expect(pushes.listeners).toBe(0);
      await write(set("between"));
      const ears = await Promise.all([Ear.on(bus), Ear.on(bus)]);
      await write(set("k"));
      await pushes.pump();
      await host.clock.settle();
      expect(ears.map(({ heard }) => heard)).toEqual([["k"], ["k"]]);
      await bus.close();
      expect(pushes.listeners).toBe(0);
    }));

  it("a refused publication fails alone; a shard that can't be reached fails all, and health says so", () =>
    withLog(async ({ end }) => {
      let isDown = false;
      const bus = end((_, call) => (isDown ? unreachable() : call()));
      await bus.publish({ key: "ok" });
      expect(await bus.health()).toEqual({ ok: true });
      isDown = true;
      expect(await codeOf(bus.publishAndAwait({ key: "k" }, { nodes: 1 }))).toBe("unsupported");
      expect(await bus.health()).toEqual({ ok: false, detail: "unavailable" });
      expect(await codeOf(Ear.on(bus))).toBe("unavailable");
      expect(bus.stats()).toMatchObject({ published: 1, subscriptions: 0 });
    }));
});
