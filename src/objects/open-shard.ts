import type { MergeRules } from "../merge/merge-rules.ts";
import { workersClock, workersLog, workersRandom, workersSql, workersTimers } from "../platform/workers.ts";
import { parseWatchers } from "../protocol/config.ts";
import type { LeasePeerApi } from "../protocol/lease.ts";
import type { RelayApi } from "../protocol/relay.ts";
import { parseSpaceDefaults } from "../protocol/space-options.ts";
import type { Home } from "../shard/admission.ts";
import { Shard } from "../shard/shard.ts";
import { type Drivers, hosted } from "./driver-host.ts";
import { openDoor } from "./open-door.ts";
import { backingRegistry, fallbackRegistry } from "./registries.ts";
import { readShardConfig, type ShardEnv } from "./shard-config.ts";
import type { ShardDoor } from "./shard-door.ts";

/** What a shard's object has around it. */
interface ShardSurroundings {
  readonly peer: (space: string, shard: number) => Home & LeasePeerApi;
  readonly merges: MergeRules;
  readonly relay: ((name: string) => RelayApi) | undefined;
  readonly drivers: Partial<Drivers>;
}

/** A shard over an object's storage and alarm, and its hub over the object's sockets. */
export function openShard(
  ctx: DurableObjectState,
  env: ShardEnv,
  { peer, merges, relay, drivers: { backings = {}, fallbacks = {} } }: ShardSurroundings,
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
    backings: backingRegistry(hosted(backings)),
    fallbacks: fallbackRegistry(hosted(fallbacks)),
    report: (message, facts) => workersLog.warn(message, facts),
    spaceDefaults: parseSpaceDefaults(env, {
      storages: Object.keys(backings),
      fallbacks: Object.keys(fallbacks),
    }),
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
