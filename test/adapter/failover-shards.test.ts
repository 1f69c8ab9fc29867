import { describe, expect, it } from "vitest";
import { host } from "#host";
import { Failover } from "../../src/adapter/failover/failover.ts";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { Warp } from "../../src/core/warp.ts";
import { memoryFallback } from "../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../src/fallback/memory/memory-streams.ts";
import { shardOf } from "../../src/protocol/key.ts";
import { isRefusal, type ShardApi, type SpaceReply } from "../../src/protocol/shard-api.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { seeded } from "../support/seeded.ts";
import { withShardSpace } from "../support/shard-space.ts";

interface Parts {
  readonly node: () => Promise<Warp>;
  readonly away: Set<number>;
  readonly streams: MemoryStreams;
}

/** Nodes over four real shards, some of which can't be reached. */
async function withShards(work: (parts: Parts) => Promise<void>): Promise<void> {
  const time = new ManualTime();
  await withShardSpace(time, { shards: 4 }, async (shards) => {
    const away = new Set<number>();
    const streams = new MemoryStreams(time);
    const api = (index: number): ShardApi => {
      const shard = shards[index];
      if (shard === undefined) throw new Error("no such shard");
      return new Proxy<ShardApi>(shard, {
        get(target, name) {
          const member: unknown = Reflect.get(target, name, target);
          if (typeof member !== "function") return member;
          return async (...args: readonly unknown[]) => {
            if (away.has(index)) throw new Error("Network connection lost");
            const reply = (await member.apply(target, args)) as object;
            if (name !== "getSpace" || isRefusal(reply)) return reply;
            return { ...reply, space: { ...(reply as SpaceReply).space, fallback: "memory" } };
          };
        },
      });
    };
    const reply = (await api(0).getSpace("test")) as SpaceReply;
    streams.announce({ space: reply.space, registrations: 0, list: [] });
    const node = async (): Promise<Warp> => {
      const parts = {
        clock: time,
        timers: time,
        random: seeded(3),
        background: { run: (task: Promise<unknown>) => void task.catch(() => undefined) },
      };
      const open = () => memoryFallback({ streams, timers: time });
      const failover = new Failover({ ...parts, fallbacks: { memory: open }, space: "test", node: "node-1" });
      const connection = { ...directConnection("test", api), around: failover.around };
      const adapter = failover.over(shardAdapter(new SpaceClient({ connection, timers: time })));
      await failover.load();
      return new Warp({ ...parts, adapter, cache: memoryCache({}) });
    };
    await work({ node, away, streams });
  });
}

const keys = Array.from({ length: 40 }, (_, at) => `key:${at}`);
const ofShard = (shard: number) => keys.filter((key) => shardOf(key, 4) === shard);

// In workerd one test can't use the databases of several objects.
describe.skipIf(host.name !== "node")("SB8 one shard of several that can't be reached", () => {
  it("SB8 only its keys go to its stream; a call over all shards has an answer for each", () =>
    withShards(async ({ node, away, streams }) => {
      const warp = await node();
      await warp.setMany(new Map(keys.map((key) => [key, 1])));
      away.add(2);
      for (let turn = 0; turn < 3; turn++) await warp.set(`${ofShard(2)[0]}`, 0).catch(() => undefined);
      const results = await warp.setMany(new Map(keys.map((key) => [key, 2])));
      for (const { key, result } of results)
        expect([key, result?.provisional === true]).toEqual([key, shardOf(key, 4) === 2]);
      const proposed = streams
        .read(2, undefined, 500)
        .proposals.map(({ mutation }) => "key" in mutation && mutation.key);
      expect(new Set(proposed)).toEqual(new Set(ofShard(2)));
      for (const other of [0, 1, 3]) expect(streams.read(other, undefined, 500).proposals).toEqual([]);
      const read = await warp.getMany<number>(keys);
      expect(keys.map((key) => read.get(key))).toEqual(keys.map(() => 2));
    }));

  it("SB8 a node that never met the space knows by its notice which stream a key belongs to", () =>
    withShards(async ({ node, away, streams }) => {
      for (const shard of [0, 1, 2, 3]) away.add(shard);
      const warp = await node();
      for (let turn = 0; turn < 3; turn++)
        for (const shard of [0, 1, 2, 3]) await warp.set(`${ofShard(shard)[0]}`, 0).catch(() => undefined);
      const results = await warp.setMany(new Map(keys.map((key) => [key, 2])));
      expect(results.filter(({ result }) => result?.provisional !== true)).toEqual([]);
      for (const shard of [0, 1, 2, 3]) {
        const { proposals } = streams.read(shard, undefined, 500);
        const proposed = proposals.map(({ mutation }) => "key" in mutation && mutation.key);
        expect(new Set(proposed)).toEqual(new Set(ofShard(shard)));
      }
    }));

  it("SB8 without its home shard a node goes on with what it knows of the space", () =>
    withShards(async ({ node, away }) => {
      const warp = await node();
      await warp.set("k", 1);
      away.add(0);
      for (let turn = 0; turn < 3; turn++) await warp.set(`${ofShard(0)[0]}`, 0).catch(() => undefined);
      for (const key of keys) {
        const done = await warp.set(key, 2);
        expect([key, done.provisional === true]).toEqual([key, shardOf(key, 4) === 0]);
      }
    }));
});
