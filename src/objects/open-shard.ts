import { openAuthenticator } from "../auth/open-authenticator.ts";
import { resolveSettings } from "../core/policy.ts";
import type { MergeRules } from "../merge/merge-rules.ts";
import { workersClock, workersLog, workersRandom, workersSql, workersTimers } from "../platform/workers.ts";
import { parseSessionBounds } from "../protocol/config.ts";
import type { LeasePeerApi } from "../protocol/lease.ts";
import type { Home } from "../shard/admission.ts";
import { Hub } from "../shard/hub/hub.ts";
import { Shard } from "../shard/shard.ts";
import { ObjectSockets } from "./object-sockets.ts";
import { readShardConfig, type ShardEnv } from "./shard-config.ts";
import { ShardDoor } from "./shard-door.ts";

/** A shard over an object's storage and alarm, and its hub over the object's sockets. */
export function openShard(
  ctx: DurableObjectState,
  env: ShardEnv,
  peer: (space: string, shard: number) => Home & LeasePeerApi,
  merges: MergeRules,
): { readonly shard: Shard; readonly door: ShardDoor } {
  const { storage } = ctx;
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
  });
  const sockets = new ObjectSockets(ctx);
  const hub = new Hub({
    shard,
    clock: workersClock,
    timers: workersTimers,
    random: workersRandom,
    sockets: () => sockets.all(),
    checkSettings: resolveSettings,
    authenticate: openAuthenticator(env, workersClock),
    bounds: parseSessionBounds(env),
    report: (error) => workersLog.error("a shard's session failed", { error }),
  });
  return { shard, door: new ShardDoor(sockets, hub) };
}
