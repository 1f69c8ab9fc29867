import { callerOf, pendingCaller } from "../../auth/caller-of.ts";
import { WarpError } from "../../errors.ts";
import { wireProtocols } from "../../protocol/wire/frames.ts";
import { readOffer } from "../../protocol/wire/subprotocols.ts";
import type { Call } from "../call.ts";
import type { Route } from "../route.ts";
import { connectQuery } from "../schemas/connect.ts";
import { zoneOf } from "../zone.ts";

/** Hands the socket to the shard. Whatever is wrong is said before the upgrade, as a problem. */
async function connect(call: Call): Promise<Response> {
  const { request, deployment } = call;
  const { shard, follow, auth } = call.query(connectQuery);
  const place = { space: call.space, shard, zone: zoneOf(request), follows: follow === "true" };
  const caller = auth === "frame" ? pendingCaller(place) : callerOf(call.grant, place);
  call.requireOrigin();
  // Shard 0 is where a space is made: it can be reached before there is one. Looked at before the upgrade is asked for, since hosts don't say why a
  // socket was refused: a node then asks without one.
  if (shard > 0) await checkShard(call, shard);
  if (request.method !== "GET" || request.headers.get("Upgrade")?.toLowerCase() !== "websocket") {
    throw new WarpError("invalid_argument", "this route takes a WebSocket: send Upgrade: websocket", {
      details: { header: "Upgrade" },
    });
  }
  const { codec } = readOffer(request.headers.get("Sec-WebSocket-Protocol"));
  if (codec === undefined) {
    const offer = `offer the subprotocol ${wireProtocols.json} or ${wireProtocols.msgpack}`;
    throw new WarpError("protocol_mismatch", offer, { details: { header: "Sec-WebSocket-Protocol" } });
  }
  if (deployment.connect === undefined) throw new WarpError("unsupported", "this host opens no sockets");
  const response = await deployment.connect(codec === "json" ? caller : { ...caller, codec });
  // The headers of a socket's answer are the handshake's: nothing is added to them.
  call.stamp({});
  return response;
}

async function checkShard(call: Call, shard: number): Promise<void> {
  const found = await call.deployment.spaces.get(call.space, call.callOptions);
  if (found === undefined) throw new WarpError("space_not_found", "the space does not exist");
  const { shards } = found.space;
  if (shard < shards) return;
  throw new WarpError("invalid_argument", `the space has ${shards} shards; shard must be below that`, {
    details: { field: "shard", min: 0, max: shards - 1 },
  });
}

/** Whether the caller shows its token later, in the first frame. */
export function asksLater(call: Call): boolean {
  return call.query(connectQuery).auth === "frame";
}

/** The sockets of nodes, and of who watches. */
export const connectRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/v1/{space}/connect",
    access: "socket",
    query: connectQuery,
    run: connect,
  },
];
