import type { Clock, Timers } from "./clock.ts";
import type { Fetch } from "./fetch.ts";
import type { Random } from "./random.ts";
import type { SocketFactory } from "./socket.ts";

/**
 * What a host says of its network and its page. `online`, `offline`: of the network. `visible`, `hidden`: somebody looks at the page, or not. `frozen`: nothing will run until `resumed`; sockets may be gone
 * by then.
 */
export type Signal = "online" | "offline" | "visible" | "hidden" | "frozen" | "resumed";

export interface Signals {
  /** Whether the host knows of no network at all. */
  readonly isOffline: boolean;
  listen(listener: (signal: Signal) => void): () => void;
}

/** What a client asks of its host: see `platform/browser.ts`, `platform/node-client.ts`. */
export interface ClientHost {
  /** The wall clock: for op ids. */
  readonly clock: Clock;
  /** Measures elapsed time: never goes back. */
  readonly elapsed: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly sockets: SocketFactory;
  readonly fetch: Fetch;
  /** Absent: always online, always looked at. */
  readonly signals?: Signals;
}

/** Lets several clients use one connection: gives the sockets that this one is to use. `close` ends what stands behind them. */
export interface Sharing {
  sockets(host: ClientHost): SocketFactory & { close(): void };
}
