/** The WebSocket that Node brings, as Warp asks for it. */

import { wireProtocols } from "../protocol/wire/frames.ts";
import { readOffer } from "../protocol/wire/subprotocols.ts";
import { utf8Length } from "../runtime/bytes.ts";
import type { Socket, SocketEvents, SocketFactory } from "../runtime/socket.ts";
import { whyRefused } from "./why-refused.ts";

/** Opens WebSockets. A token among the protocols goes as `Authorization`: Node can, and not every secret may stand in a protocol's name. */
export const nodeSockets: SocketFactory = {
  open(url, protocols, events) {
    const { token } = readOffer(protocols.join(","));
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const others = protocols.filter((protocol) => !protocol.startsWith(wireProtocols.auth));
    let isOver = false;
    const end = (code: number, reason: string): void => {
      if (isOver) return;
      isOver = true;
      events.closed(code, reason);
    };
    let socket: WebSocket;
    try {
      socket = new WebSocket(url, { protocols: others, headers });
    } catch (error) {
      queueMicrotask(() => end(1006, error instanceof Error ? error.message : ""));
      return { send() {}, close() {}, bufferedBytes: 0 };
    }
    socket.binaryType = "arraybuffer";
    listen(socket, events, end, () => whyRefused(url, protocols));
    return wrapped(socket);
  },
};

function listen(
  socket: WebSocket,
  events: SocketEvents,
  end: (code: number, reason: string) => void,
  why: () => Promise<{ readonly code: number; readonly reason: string }>,
): void {
  let wasOpen = false;
  socket.addEventListener("open", () => {
    wasOpen = true;
    events.opened();
  });
  socket.addEventListener("message", (event) => {
    const data: unknown = event.data;
    if (typeof data === "string") events.message(data);
    else if (data instanceof ArrayBuffer) events.message(new Uint8Array(data));
  });
  // What went wrong is told by `close`, which follows.
  socket.addEventListener("error", () => {});
  socket.addEventListener("close", ({ code, reason }) => {
    if (wasOpen || code !== 1006) end(code, reason);
    else void why().then((found) => end(found.code, found.reason));
  });
}

function wrapped(socket: WebSocket): Socket {
  return {
    send(data) {
      if (socket.readyState === WebSocket.OPEN)
        socket.send(typeof data === "string" ? data : Uint8Array.from(data));
    },
    close(code, reason) {
      // A reason that is too long is an error to the host; it says nothing that the code does not.
      socket.close(code, utf8Length(reason) <= 123 ? reason : "");
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
  };
}
