/** What workerd gives: the host side of `src/runtime/` for the Worker and its objects. */

import { waitUntil } from "cloudflare:workers";
import type { Background } from "../runtime/background.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { Socket, SocketEvents, SocketFactory } from "../runtime/socket.ts";
import type { Sql, SqlRow, SqlValue } from "../runtime/sql.ts";

/** The host's wall clock. It stands still between two I/O events. */
export const workersClock: Clock = { now: () => Date.now() };

/** Timers of the current request: they die with it. */
export const workersTimers: Timers = {
  after(delayMs, run) {
    const handle = setTimeout(run, delayMs);
    return () => clearTimeout(handle);
  },
};

/** The host's strong randomness. */
export const workersRandom: Random = { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) };

/** Background work is held by the current request's `waitUntil`; what it rejects with is reported to `onError`. */
export function workersBackground(onError: (error: unknown) => void): Background {
  return { run: (work) => waitUntil(work.catch(onError)) };
}

/**
 * Sockets of which `connect` gets the near end, by a request to an object that upgrades it. They belong to the request that opens them: its end is
 * theirs, and no other one may touch them.
 */
export function workersSockets(connect: () => Promise<Response>): SocketFactory {
  return {
    open(_url, _protocols, events) {
      let near: WebSocket | undefined;
      let isOver = false;
      const end = (code: number, reason: string): void => {
        if (isOver) return;
        isOver = true;
        events.closed(code, reason);
      };
      const take = ({ webSocket, status }: Response): void => {
        if (webSocket === null) {
          end(1006, `answered ${status}`);
          return;
        }
        near = webSocket;
        webSocket.binaryType = "arraybuffer";
        webSocket.addEventListener("message", ({ data }) => {
          if (!isOver) events.message(typeof data === "string" ? data : new Uint8Array(data));
        });
        webSocket.addEventListener("close", ({ code, reason }) => end(code, reason));
        webSocket.addEventListener("error", () => end(1006, ""));
        webSocket.accept();
        if (isOver) webSocket.close(1000, "");
        else events.opened();
      };
      connect().then(take, () => end(1006, "the object can't be reached"));
      return {
        send: (data) => near?.send(data),
        close(code, reason) {
          isOver = true;
          near?.close(code, reason);
        },
        bufferedBytes: 0,
      };
    },
  };
}

/**
 * Takes the socket that a request asks for: our end, and the answer (101) that carries the other one. It belongs to the request, which goes on while it is open.
 */
export function workersUpgrade(
  protocol: string | undefined,
  events: Omit<SocketEvents, "opened">,
): { readonly socket: Socket; readonly response: Response } {
  const { 0: theirs, 1: ours } = new WebSocketPair();
  let isOver = false;
  const closed = (code: number, reason: string): void => {
    if (isOver) return;
    isOver = true;
    events.closed(code, reason);
  };
  ours.addEventListener("message", ({ data }) =>
    events.message(typeof data === "string" ? data : new Uint8Array(data)),
  );
  ours.addEventListener("close", ({ code, reason }) => {
    // The closing handshake is ours to answer.
    ours.close();
    closed(code, reason);
  });
  ours.addEventListener("error", () => closed(1006, ""));
  ours.accept();
  return {
    socket: {
      send(data) {
        try {
          ours.send(data);
        } catch {
          closed(1006, "");
        }
      },
      close(code, reason) {
        isOver = true;
        try {
          ours.close(code, reason);
        } catch {
          // It was closed before.
        }
      },
      // It is not told.
      bufferedBytes: 0,
    },
    response: new Response(null, {
      status: 101,
      webSocket: theirs,
      ...(protocol === undefined ? {} : { headers: { "Sec-WebSocket-Protocol": protocol } }),
    }),
  };
}

/** A SQLite object's storage as {@link Sql}. */
export function workersSql(storage: DurableObjectStorage): Sql {
  return {
    all: <Row extends SqlRow>(query: string, ...bindings: SqlValue[]) =>
      storage.sql.exec(query, ...bindings).toArray() as Row[],
    run: (query, ...bindings) => {
      storage.sql.exec(query, ...bindings);
    },
    transaction: (work) => storage.transactionSync(work),
  };
}

/** Structured logs: one JSON object a line. An error is told by its name, message and stack; never put values or tokens in `facts`. */
export const workersLog = {
  error(message: string, facts: Readonly<Record<string, unknown>>): void {
    // biome-ignore lint/suspicious/noConsole: the console is a Worker's log.
    console.error(JSON.stringify({ level: "error", message, ...facts }, plainError));
  },
  warn(message: string, facts: Readonly<Record<string, unknown>>): void {
    // biome-ignore lint/suspicious/noConsole: the console is a Worker's log.
    console.warn(JSON.stringify({ level: "warn", message, ...facts }, plainError));
  },
};

function plainError(_name: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, message, stack, cause } = value;
  return { name, message, stack, ...(cause === undefined ? {} : { cause }) };
}
