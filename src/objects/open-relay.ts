import { rpcFault } from "../connection/rpc/rpc-connection.ts";
import { workersClock, workersLog, workersRandom, workersSql, workersTimers } from "../platform/workers.ts";
import { parseWatchers } from "../protocol/config.ts";
import type { RelayShardApi } from "../protocol/relay.ts";
import type { ShardApi } from "../protocol/shard-api.ts";
import { shardName } from "../protocol/space.ts";
import { Relay } from "../relay/relay.ts";
import { openDoor } from "./open-door.ts";
import type { ShardEnv } from "./shard-config.ts";
import type { ShardDoor } from "./shard-door.ts";

/** The shards' namespace, as a relay needs it. */
interface RelayedShards<Id = DurableObjectId> {
  idFromName(name: string): Id;
  get(id: Id): ShardApi & RelayShardApi;
}

/** The bindings that a relay's object needs. */
export interface WarpRelayEnv extends ShardEnv {
  readonly SHARDS: RelayedShards;
}

/** A relay over an object's storage and alarm, and its hub over the object's sockets. */
export interface OpenRelay {
  readonly relay: Relay;
  readonly door: ShardDoor;
}

/** Opens it. */
export function openRelay(ctx: DurableObjectState, env: WarpRelayEnv): OpenRelay {
  const { relay: watchers, socketsPerSecond } = parseWatchers(env);
  const relay = new Relay({
    sql: workersSql(ctx.storage),
    clock: workersClock,
    timers: workersTimers,
    random: workersRandom,
    alarm: { set: (atMs) => void ctx.storage.setAlarm(atMs) },
    shard: (space, shard) => env.SHARDS.get(env.SHARDS.idFromName(shardName(space, shard))),
    fault: rpcFault,
    report: (error) => workersLog.error("a relay could not ask its shard; it will try again", { error }),
  });
  const { hub, door } = openDoor(ctx, env, {
    shard: relay.shard,
    watchers,
    socketsPerSecond,
    left: () => relay.left(),
    // Only the shard knows another place.
    elsewhere: () => "full",
  });
  relay.count(() => hub.size);
  return { relay, door };
}
