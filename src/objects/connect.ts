import { openSocket } from "../connection/rpc/open-socket.ts";
import { WarpError } from "../errors.ts";
import { shardName } from "../protocol/space.ts";
import type { RedeemRequest } from "../protocol/tokens.ts";
import type { Caller } from "../protocol/wire/caller.ts";
import type { RelayNamespace } from "./relay-namespace.ts";
import type { WarpShard } from "./warp-shard.ts";

/** Where sockets go. */
export interface SocketObjects {
  readonly SHARDS: DurableObjectNamespace<WarpShard>;
  /** Absent: a shard takes watchers as long as it has room. */
  readonly RELAYS?: RelayNamespace;
}

/** Opens a socket at a shard, or at the relay that it names, for a caller who may; the answer (101) carries the other end. */
export function connectShard({ SHARDS, RELAYS }: SocketObjects, caller: Caller): Promise<Response> {
  return openSocket<Response>(SHARDS, RELAYS, caller);
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
