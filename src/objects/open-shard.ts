import type { MergeRules } from "../merge/merge-rules.ts";
import { workersClock, workersRandom, workersSql, workersTimers } from "../platform/workers.ts";
import { parseWatchers } from "../protocol/config.ts";
import type { LeasePeerApi } from "../protocol/lease.ts";
import type { RelayApi } from "../protocol/relay.ts";
import type { Home } from "../shard/admission.ts";
import { Shard } from "../shard/shard.ts";
import { openDoor } from "./open-door.ts";
import { readShardConfig, type ShardEnv } from "./shard-config.ts";
import type { ShardDoor } from "./shard-door.ts";

/** A shard over an object's storage and alarm, and its hub over the object's sockets. */
export function openShard(
  ctx: DurableObjectState,
  env: ShardEnv,
  peer: (space: string, shard: number) => Home & LeasePeerApi,
  merges: MergeRules,
  relay: ((name: string) => RelayApi) | undefined,
): { readonly shard: Shard; readonly door: ShardDoor } {
  const { storage } = ctx;
  const watchers = parseWatchers(env);
  const shard = new Shard({
    ...readShardConfig(env),
    merges,
    sql: workersSql(storage),
    clock: workersClock,
    random: workersRandom,
    timers: workersTimers,
    // Part of the transaction it is set in: an alarm is as durable as what it is for.
    alarm: { set: (atMs) => void storage.setAlarm(atMs) },
    durable: () => storage.sync(),
    wipe: async () => {
      await storage.deleteAlarm();
      await storage.deleteAll();
    },
    databaseBytes: () => storage.sql.databaseSize,
    home: (space) => peer(space, 0),
    peer,
    relayRoom: watchers.relay,
    ...(relay && { relay }),
  });
  const { door } = openDoor(ctx, env, {
    shard,
    watchers: watchers.shard,
    socketsPerSecond: watchers.socketsPerSecond,
    elsewhere: (full) => shard.watching.relays.place(full),
  });
  return { shard, door };
}
