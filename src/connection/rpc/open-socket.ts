import { relayHeader, relayName } from "../../protocol/relay.ts";
import { shardName } from "../../protocol/space.ts";
import { type Caller, callerHeader, formatCaller } from "../../protocol/wire/caller.ts";

/** The answer to a request for a socket, as far as it is looked at. */
interface Answer {
  readonly headers: { get(name: string): string | null };
}

/** Objects that open sockets: the part of a Durable Object namespace that is needed. `R` is what the host calls a response. */
export interface SocketNamespace<R extends Answer, Id = never> {
  idFromName(name: string): unknown;
  get(id: Id): {
    fetch(url: string, init: { readonly headers: Record<string, string> }): Promise<R>;
  };
}

/** More than a shard has relays: once each was named and found full the shard itself says that there is no room. */
const maxTries = 65;

/** Opens a socket at a shard, or at the relay that it names, for a caller who may; the answer carries the other end. */
export async function openSocket<R extends Answer>(
  shards: SocketNamespace<R>,
  relays: SocketNamespace<R> | undefined,
  caller: Caller,
): Promise<R> {
  // Nothing of the client's own request goes along: its token least of all.
  const headers = { Upgrade: "websocket", [callerHeader]: formatCaller(caller) };
  const at = (namespace: SocketNamespace<R>, name: string, more: Record<string, string>): Promise<R> =>
    namespace
      .get(namespace.idFromName(name) as never)
      .fetch("https://object/connect", { headers: { ...headers, ...more } });
  let before = {};
  for (let tries = 1; ; tries++) {
    const response = await at(shards, shardName(caller.space, caller.shard), before);
    const relay = response.headers.get(relayHeader);
    if (relay === null || relays === undefined) return response;
    const named = { [relayHeader]: relay };
    const relayed = await at(relays, relayName(caller.space, caller.shard, Number(relay)), named);
    if (relayed.headers.get(relayHeader) === null || tries >= maxTries) return relayed;
    before = named;
  }
}
