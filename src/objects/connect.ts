import { shardName } from "../protocol/space.ts";
import { type Caller, callerHeader, formatCaller } from "../protocol/wire/caller.ts";
import type { WarpShard } from "./warp-shard.ts";

/** Opens a socket at a shard for a caller who may; the answer (101) carries the other end. */
export async function connectShard(
  shards: DurableObjectNamespace<WarpShard>,
  caller: Caller,
): Promise<Response> {
  const stub = shards.get(shards.idFromName(shardName(caller.space, caller.shard)));
  // Nothing of the client's own request goes along: its token least of all.
  const headers = { Upgrade: "websocket", [callerHeader]: formatCaller(caller) };
  return await stub.fetch("https://shard/connect", { headers });
}
