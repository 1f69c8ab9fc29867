import type { ShardConnection } from "../connection/shard-connection.ts";
import { type OwnSocketsOptions, ownSockets } from "../connection/socket/own-sockets.ts";
import { SpaceClient } from "../connection/space-client.ts";
import { type ShardWatchBus, shardWatchBus } from "../watchbus/shard/shard-watch-bus.ts";

/** What {@link requestWatches} takes: the sockets are opened for whose watches these are. */
export interface RequestWatchesOptions extends OwnSocketsOptions {
  /** Tells how many shards the space has. */
  readonly calls: ShardConnection;
}

/** The watches of one request, on a host whose sockets belong to the request that opens them: each watch has its own, one for each shard that it follows. */
export function requestWatches({ calls, ...options }: RequestWatchesOptions): ShardWatchBus {
  const watching = ownSockets(options);
  const client = new SpaceClient({ connection: { ...calls, watching }, timers: options.timers });
  return shardWatchBus({ client, timers: options.timers });
}
