import { beatFrame } from "../protocol/wire/frames.ts";
import type { HubSocket } from "../shard/hub/hub-socket.ts";

/** The platform's sockets of one object as its hub wants them. They hibernate: the object may go while they stay. */
export class ObjectSockets {
  readonly #ctx: DurableObjectState;
  readonly #known = new WeakMap<WebSocket, HubSocket>();

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(beatFrame, beatFrame));
  }

  /** Makes a socket: our end, and the answer that carries the other. */
  open(protocol: string): { readonly socket: HubSocket; readonly response: Response } {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    this.#ctx.acceptWebSocket(ours);
    const headers = { "Sec-WebSocket-Protocol": protocol };
    return {
      socket: this.of(ours),
      response: new Response(null, { status: 101, webSocket: theirs, headers }),
    };
  }

  /**
   * The answer to somebody for whom there is no room: a socket that is closed at once, since browsers learn of nothing else. It is none that hibernates: what is
   * said on such a one before the answer has left arrives ten seconds later.
   */
  refuse(protocol: string, code: number, reason: string): Response {
    const { 0: theirs, 1: ours } = new WebSocketPair();
    ours.accept();
    ours.close(code, reason);
    return new Response(null, {
      status: 101,
      webSocket: theirs,
      headers: { "Sec-WebSocket-Protocol": protocol },
    });
  }

  /** All that are open. */
  all(): HubSocket[] {
    const open = this.#ctx
      .getWebSockets()
      .filter(({ readyState }) => readyState === WebSocket.READY_STATE_OPEN);
    return open.map((ws) => this.of(ws));
  }

  /** The same one for the same socket. */
  of(ws: WebSocket): HubSocket {
    let socket = this.#known.get(ws);
    if (socket === undefined) {
      socket = hubSocket(ws, this.#ctx);
      this.#known.set(ws, socket);
    }
    return socket;
  }
}

function hubSocket(ws: WebSocket, ctx: DurableObjectState): HubSocket {
  return {
    send(data) {
      try {
        ws.send(data);
      } catch {
        // It is closed or closing: its end is told by an event of its own.
      }
    },
    close(code, reason) {
      try {
        ws.close(code, reason);
      } catch {
        // It was closed before.
      }
    },
    get lastBeatMs() {
      return ctx.getWebSocketAutoResponseTimestamp(ws)?.getTime();
    },
    get attachment(): unknown {
      return ws.deserializeAttachment() ?? undefined;
    },
    set attachment(value) {
      ws.serializeAttachment(value);
    },
  };
}
