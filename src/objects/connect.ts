import { WarpError } from "../errors.ts";
import { shardName } from "../protocol/space.ts";
import type { RedeemRequest } from "../protocol/tokens.ts";
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

/** Spends a token for one use at the home of its space; gives whether it was fresh. Rejects with what refuses that. */
export async function redeemToken(
  shards: DurableObjectNamespace<WarpShard>,
  request: RedeemRequest,
): Promise<boolean> {
  const reply = await shards.get(shards.idFromName(shardName(request.space, 0))).redeem(request);
  if ("refused" in reply) throw WarpError.fromData(reply.refused);
  return reply.isFresh;
}
