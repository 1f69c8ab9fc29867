import { WarpError } from "../errors.ts";
import { relayHeader, relayName } from "../protocol/relay.ts";
import { shardName } from "../protocol/space.ts";
import type { RedeemRequest } from "../protocol/tokens.ts";
import { type Caller, callerHeader, formatCaller } from "../protocol/wire/caller.ts";
import type { RelayNamespace } from "./relay-namespace.ts";
import type { WarpShard } from "./warp-shard.ts";

/** Where sockets go. */
export interface SocketObjects {
  readonly SHARDS: DurableObjectNamespace<WarpShard>;
  /** Absent: a shard takes watchers as long as it has room. */
  readonly RELAYS?: RelayNamespace;
}

/** How many relays are tried that turn out to be full; then the shard itself says why there is no room. */
const maxTries = 8;

/** Opens a socket at a shard, or at the relay that it names, for a caller who may; the answer (101) carries the other end. */
export async function connectShard({ SHARDS, RELAYS }: SocketObjects, caller: Caller): Promise<Response> {
  // Nothing of the client's own request goes along: its token least of all.
  const headers = { Upgrade: "websocket", [callerHeader]: formatCaller(caller) };
  let before = {};
  for (let tries = 1; ; tries++) {
    const shard = SHARDS.get(SHARDS.idFromName(shardName(caller.space, caller.shard)));
    const response = await shard.fetch("https://shard/connect", { headers: { ...headers, ...before } });
    const relay = response.headers.get(relayHeader);
    if (relay === null || RELAYS === undefined) return response;
    const name = relayName(caller.space, caller.shard, Number(relay));
    const toRelay = { ...headers, [relayHeader]: relay };
    const relayed = await RELAYS.get(RELAYS.idFromName(name)).fetch("https://relay/connect", {
      headers: toRelay,
    });
    if (relayed.headers.get(relayHeader) === null || tries >= maxTries) return relayed;
    before = { [relayHeader]: relay };
  }
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
