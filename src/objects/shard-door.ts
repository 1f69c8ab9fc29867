import { relayHeader } from "../protocol/relay.ts";
import { type Caller, callerHeader, isWatcher, parseCaller } from "../protocol/wire/caller.ts";
import { closeCodes, wireProtocols } from "../protocol/wire/frames.ts";
import type { Hub } from "../shard/hub/hub.ts";
import type { SocketRate } from "../shard/hub/socket-rate.ts";
import type { ObjectSockets } from "./object-sockets.ts";

/** What a {@link ShardDoor} is made of. */
export interface ShardDoorOptions {
  readonly sockets: ObjectSockets;
  readonly hub: Hub;
  readonly rate: SocketRate;
  /** That of sockets without a token: nobody unknown shall keep others out. */
  readonly unknownRate: SocketRate;
  /** Where a watcher is sent for whom there is no room, given where it was sent before in vain; undefined: nowhere. */
  readonly elsewhere: (full: number | undefined) => number | "full" | undefined;
}

/** Where the sockets of an object come in. */
export class ShardDoor {
  readonly #options: ShardDoorOptions;

  constructor(options: ShardDoorOptions) {
    this.#options = options;
  }

  /** Takes a socket for a caller whom a Worker let in, or says where it should go; see `connectShard`. */
  open(request: Request): Response {
    const caller = parseCaller(request.headers.get(callerHeader));
    if (caller === undefined || request.headers.get("Upgrade") !== "websocket") {
      return new Response("this object takes sockets from its Worker only\n", { status: 400 });
    }
    const { sockets, hub } = this.#options;
    const rate = caller.isPending === true ? this.#options.unknownRate : this.#options.rate;
    const relay = this.#elsewhere(caller, request.headers.get(relayHeader));
    if (relay !== undefined)
      return new Response(null, { status: 409, headers: { [relayHeader]: `${relay}` } });
    const protocol = wireProtocols[caller.codec ?? "json"];
    const waitMs = rate.take();
    const why =
      waitMs > 0
        ? `more than ${rate.perSecond} sockets a second; there is room in ${waitMs} ms`
        : hub.refusal(caller);
    if (why !== undefined) return sockets.refuse(protocol, closeCodes.overloaded, `overloaded: ${why}`);
    const { socket, response } = sockets.open(protocol);
    hub.accept(socket, caller);
    return response;
  }

  message(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const { sockets, hub } = this.#options;
    return hub.message(sockets.of(ws), typeof data === "string" ? data : new Uint8Array(data));
  }

  closed(ws: WebSocket): void {
    const { sockets, hub } = this.#options;
    hub.closed(sockets.of(ws));
  }

  #elsewhere(caller: Caller, before: string | null): number | "full" | undefined {
    const { hub, elsewhere } = this.#options;
    if (!isWatcher(caller) || hub.fullness(caller) === undefined) return undefined;
    return elsewhere(before === null ? undefined : Number(before));
  }
}
