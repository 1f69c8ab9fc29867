import { callerHeader, parseCaller } from "../protocol/wire/caller.ts";
import { wireProtocols } from "../protocol/wire/frames.ts";
import type { Hub } from "../shard/hub/hub.ts";
import type { ObjectSockets } from "./object-sockets.ts";

/** Where the sockets of an object come in. */
export class ShardDoor {
  readonly #sockets: ObjectSockets;
  readonly #hub: Hub;

  constructor(sockets: ObjectSockets, hub: Hub) {
    this.#sockets = sockets;
    this.#hub = hub;
  }

  /** Takes a socket for a caller whom a Worker let in; see `connectShard`. */
  open(request: Request): Response {
    const caller = parseCaller(request.headers.get(callerHeader));
    if (caller === undefined || request.headers.get("Upgrade") !== "websocket") {
      return new Response("this object takes sockets from its Worker only\n", { status: 400 });
    }
    const { socket, response } = this.#sockets.open(wireProtocols[caller.codec ?? "json"]);
    this.#hub.accept(socket, caller);
    return response;
  }

  message(ws: WebSocket, data: string | ArrayBuffer): Promise<void> {
    return this.#hub.message(this.#sockets.of(ws), typeof data === "string" ? data : new Uint8Array(data));
  }

  closed(ws: WebSocket): void {
    this.#hub.closed(this.#sockets.of(ws));
  }
}
