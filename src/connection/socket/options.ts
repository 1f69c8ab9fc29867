import { WarpError } from "../../errors.ts";
import type { AroundCalls } from "../../protocol/around-calls.ts";
import { checkSpace } from "../../protocol/key.ts";
import { type FrameCodec, jsonFrames } from "../../protocol/wire/frame-codec.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { connectTimeoutMs, reconnectBaseMs, reconnectCapMs, unusedSocketMs } from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
import type { SocketFactory } from "../../runtime/socket.ts";
import type { BackoffOptions } from "./backoff.ts";

/** What a {@link socketConnection} is made of. */
export interface SocketConnectionOptions {
  /** Where the deployment is: `http`, `https`, `ws` or `wss`, without a path of its own or with that of a proxy. */
  readonly url: string;
  readonly space: string;
  /** Must carry read, write and delete for the whole space. A function is asked for each new socket. Default none: for open deployments. */
  readonly token?: string | (() => string | Promise<string>);
  /** Names the node for its life: 8 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly node: string;
  /** Where the node is, for writes with `minZones`: 1 to 64 characters. Default: what the platform knows of the request. */
  readonly zone?: string;
  readonly sockets: SocketFactory;
  readonly timers: Timers;
  /** The node's clock. */
  readonly clock: Clock;
  /** Measures elapsed time: never goes back. Default `clock`, which then must not go back. */
  readonly elapsed?: Clock;
  readonly random: Random;
  /** Whether the log is pushed. Default true. */
  readonly follow?: boolean;
  readonly backoff?: BackoffOptions;
  /** How frames are written. Default JSON. */
  readonly codec?: FrameCodec;
  /** How long a socket may take until it can be used, 1 to 120,000 ms. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** A socket that was not used for so long is closed until it is needed again, in ms. Default 60,000. */
  readonly unusedMs?: number;
  /** See `ShardConnection.around`. */
  readonly around?: AroundCalls | undefined;
}

/** {@link SocketConnectionOptions} with their defaults. */
export interface ResolvedSocketOptions
  extends Required<Omit<SocketConnectionOptions, "url" | "token" | "zone" | "backoff" | "around">> {
  readonly around?: AroundCalls | undefined;
  readonly zone: string | undefined;
  readonly token: () => string | undefined | Promise<string>;
  readonly backoff: Required<BackoffOptions>;
  /** The address of a shard's socket. */
  readonly urlOf: (shard: number) => string;
}

/** Throws `invalid_space`, and `invalid_argument` that names the option. */
export function resolveSocketOptions(options: SocketConnectionOptions): ResolvedSocketOptions {
  const { space, node, zone, token, backoff, elapsed = options.clock, follow = true } = options;
  checkSpace(space);
  if (!/^[A-Za-z0-9_-]{8,64}$/.test(node)) throw wrong("node", "8 to 64 of A-Z a-z 0-9 _ -");
  if (zone !== undefined && (zone.length < 1 || zone.length > 64)) throw wrong("zone", "1 to 64 characters");
  const baseMs = backoff?.baseMs ?? reconnectBaseMs;
  const capMs = backoff?.capMs ?? reconnectCapMs;
  if (!(baseMs >= 1 && baseMs <= capMs && Number.isFinite(capMs))) {
    throw wrong("backoff", "a baseMs of 1 or more and a capMs not below it");
  }
  const timeoutMs = options.connectTimeoutMs ?? connectTimeoutMs;
  if (!(timeoutMs >= 1 && timeoutMs <= 120_000)) throw wrong("connectTimeoutMs", "1 to 120,000");
  const unusedMs = options.unusedMs ?? unusedSocketMs;
  if (!(unusedMs >= 1_000)) throw wrong("unusedMs", "1,000 or more");
  const base = socketBase(options.url);
  return {
    ...options,
    zone,
    elapsed,
    follow,
    codec: options.codec ?? jsonFrames,
    unusedMs,
    backoff: { baseMs, capMs },
    connectTimeoutMs: timeoutMs,
    token: typeof token === "function" ? token : () => token,
    urlOf: (shard) => `${base}/v1/${encodeURIComponent(space)}/connect?shard=${shard}`,
  };
}

function socketBase(url: string): string {
  const match = /^(?:http|ws)(s?):\/\/([^/?#\s]+)([^?#\s]*?)\/*$/i.exec(url);
  if (match === null) throw wrong("url", "an http, https, ws or wss address without query");
  return `ws${(match[1] ?? "").toLowerCase()}://${match[2]}${match[3]}`;
}

function wrong(field: string, form: string): WarpError {
  return new WarpError("invalid_argument", `${field} is ${form}`, { details: { field } });
}
