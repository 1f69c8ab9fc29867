import { openAuthenticator } from "../auth/open-authenticator.ts";
import { resolveSettings } from "../core/policy.ts";
import { workersClock, workersLog, workersRandom, workersTimers } from "../platform/workers.ts";
import { parseSessionBounds } from "../protocol/config.ts";
import { Hub, type HubOptions, type HubShard } from "../shard/hub/hub.ts";
import { SocketRate } from "../shard/hub/socket-rate.ts";
import { ObjectSockets } from "./object-sockets.ts";
import type { ShardEnv } from "./shard-config.ts";
import { ShardDoor, type ShardDoorOptions } from "./shard-door.ts";

/** What differs between the hub of a shard and that of a relay. */
export interface OpenDoorOptions extends Pick<HubOptions, "left">, Pick<ShardDoorOptions, "elsewhere"> {
  readonly shard: HubShard;
  readonly watchers: number;
  readonly socketsPerSecond: number;
}

/** A hub over an object's sockets, and the door to it. */
export function openDoor(
  ctx: DurableObjectState,
  env: ShardEnv,
  { socketsPerSecond, elsewhere, ...options }: OpenDoorOptions,
): { readonly hub: Hub; readonly door: ShardDoor } {
  const sockets = new ObjectSockets(ctx);
  const hub = new Hub({
    ...options,
    clock: workersClock,
    timers: workersTimers,
    random: workersRandom,
    sockets: () => sockets.all(),
    checkSettings: resolveSettings,
    authenticate: openAuthenticator(env, workersClock),
    bounds: parseSessionBounds(env),
    report: (error) => workersLog.error("a session failed", { error }),
  });
  const rate = () => new SocketRate(socketsPerSecond, options.shard.elapsed);
  return { hub, door: new ShardDoor({ sockets, hub, rate: rate(), unknownRate: rate(), elsewhere }) };
}
