/** The WebSocket that Node brings, as Warp asks for it. */

import { closeCodes, wireProtocols } from "../protocol/wire/frames.ts";
import { utf8Length } from "../runtime/bytes.ts";
import type { Socket, SocketEvents, SocketFactory } from "../runtime/socket.ts";

/** How long it may take to learn why a socket could not be opened, in ms. */
const whyTimeoutMs = 5_000;

/** Opens WebSockets. A token among the protocols goes as `Authorization`: Node can, and not every secret may stand in a protocol's name. */
export const nodeSockets: SocketFactory = {
  open(url, protocols, events) {
    const item = protocols.find((protocol) => protocol.startsWith(wireProtocols.auth));
    const headers: Record<string, string> =
      item === undefined ? {} : { authorization: `Bearer ${item.slice(wireProtocols.auth.length)}` };
    const others = protocols.filter((protocol) => protocol !== item);
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
    listen(socket, events, end, () => whyRefused(url, headers));
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

/** Why a socket was refused: the host does not tell, so it is asked again as a plain request, whose answer has a code. */
async function whyRefused(
  url: string,
  headers: Record<string, string>,
): Promise<{ readonly code: number; readonly reason: string }> {
  const silent = { code: 1006, reason: "" };
  try {
    const signal = AbortSignal.timeout(whyTimeoutMs);
    const response = await fetch(url.replace(/^ws/, "http"), { headers, signal });
    const code = closeCodeOf(response.status);
    if (code === undefined) return silent;
    const problem: unknown = await response.json();
    const named = typeof problem === "object" && problem !== null && "code" in problem ? problem.code : "";
    return { code, reason: typeof named === "string" ? named : "" };
  } catch {
    // It can't be reached this way either.
    return silent;
  }
}

function closeCodeOf(status: number): number | undefined {
  if (status === 401 || status === 403) return closeCodes.unauthorized;
  if (status === 404) return closeCodes.spaceGone;
  if (status === 429 || status === 503) return closeCodes.overloaded;
  return undefined;
}
