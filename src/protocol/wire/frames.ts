/**
 * `warp.v1`: what a node and one shard say over a WebSocket (`GET /v1/{space}/connect?shard=N`, subprotocol `warp.v1.json`). One frame
 * is one JSON object; bytes are base64 in an object `{"$bytes": "…"}`. By `warp.v1.msgpack` it is the same object as MessagePack, and bytes are bytes. Unknown members are ignored, unknown frame types are ignored by clients
 * and refused (`invalid_frame`) by shards. Messages of one socket stay in order, and much rests on it: an invalidation (`inv`) is
 * sent the moment its intent is durable, a reply as soon as it is known; log entries (`ev`) may come up to 16 ms later.
 */

import type { ErrorData } from "../../errors.ts";
import type { LockEnd } from "../lock.ts";
import type { ChangeKind, ShardApi } from "../shard-api.ts";
import type { WatchClientFrame, WatchServerFrame } from "./watch-frames.ts";

/** The subprotocols, and the item that carries a token (never echoed). */
export const wireProtocols = {
  json: "warp.v1.json",
  msgpack: "warp.v1.msgpack",
  auth: "warp.auth.",
} as const;
/** The version that `hello` names. */
export const wireVersion = 1;

/**
 * A sign of life of the connection alone: exactly this text (by either subprotocol), answered by the same text. The platform answers it without waking the
 * shard, so a node without a lease should beat instead of pinging.
 */
export const beatFrame = '{"t":"beat"}';

/** The calls of a shard that go over a socket: all that nodes use. */
export type WireMethod = keyof ShardApi;

/** From the node. */
export type ClientFrame =
  | WatchClientFrame
  /** The first frame, within 10 s of the opening. */
  | {
      readonly t: "hello";
      readonly v: number;
      /** Names the node for its life: 8 to 64 of `A-Z a-z 0-9 _ -`. Two sockets of one node count as one member. */
      readonly node: string;
      /** Where it is: 1 to 64 characters; absent: where the request came from, as the platform says. */
      readonly zone?: string;
      /** What it has applied of this shard's log; absent: it holds nothing. */
      readonly cursor?: { readonly epoch: string; readonly revision: number };
      /** Whether it wants every log entry (`ev`); else only what it asks for. Default true. */
      readonly follow?: boolean;
      /** The newest place in the shard's fallback stream at which the node has proposed something: the shard applies all up to there before it welcomes. */
      readonly fallback?: string;
    }
  /** See `beatFrame`. */
  | { readonly t: "beat" }
  /** Asks for a sign of life of the shard; with `lease` for the node lease as well. Answered by `pong`. */
  | { readonly t: "ping"; readonly id: number; readonly lease?: boolean }
  /** Every strong invalidation up to number `inv` of this session is carried out. */
  | { readonly t: "ack"; readonly inv: number }
  | {
      readonly t: "call";
      /** Grows with each call and ping of the session; the answer carries it. */
      readonly id: number;
      readonly m: WireMethod;
      readonly a: readonly unknown[];
    }
  /** All that was sent before `mark` number `n` has come. To be sent at once for each `mark`. */
  | { readonly t: "seen"; readonly n: number }
  /** It leaves: it serves nothing more under its node lease. */
  | { readonly t: "bye" };

/** One log entry: revision, kind, key (prefix, tag, pattern). */
export type WireChange = readonly [revision: number, kind: ChangeKind, key: string];

/** From the shard. */
export type ServerFrame =
  | WatchServerFrame
  | {
      readonly t: "welcome";
      readonly session: string;
      /** Whose op ids this session may send (see `scopeOpId`); a session with the verb `admin` may send anybody's. */
      readonly subject: string;
      readonly epoch: string;
      /** The head of the log: what follows is pushed. */
      readonly revision: number;
      /** How often the node shall ping at least, in ms. */
      readonly heartbeatMs: number;
      /** Length of a node lease in ms; 0: this shard grants none now. */
      readonly leaseMs: number;
      readonly maxFrameBytes: number;
      /**
       * `replay`: the entries after the cursor follow as `ev`, or a `gap` of its own kind; `gap`: they can't be had, what is held must go;
       * `fresh`: no cursor was given, or `follow` is false.
       */
      readonly resumed: "fresh" | "replay" | "gap";
      /** Shards of the space; 0 where this shard does not know, since nothing was ever written to it. */
      readonly shards: number;
      /** When the rights of the session end, in Unix ms; absent: never. `auth` brings newer ones. */
      readonly expiresAtMs?: number;
      /** The shard's clock, in Unix ms: a page's own may be far off. Absent: a shard of before there was such a member. */
      readonly nowMs?: number;
    }
  | { readonly t: "ok"; readonly id: number; readonly r: unknown }
  | { readonly t: "err"; readonly id: number; readonly e: ErrorData }
  /** The log entries of `(after, to]` in order. */
  | {
      readonly t: "ev";
      readonly epoch: string;
      readonly after: number;
      readonly to: number;
      readonly es: readonly WireChange[];
    }
  /**
   * A strong invalidation: copies of these are not served from now on, and `ack` says so. `at` is the log position of the intent. Numbers grow
   * by one in a session.
   */
  | {
      readonly t: "inv";
      readonly n: number;
      readonly epoch: string;
      readonly at: number;
      readonly keys?: readonly string[];
      readonly prefixes?: readonly string[];
      readonly tags?: readonly string[];
    }
  /** Nothing for this session up to `to`. */
  | { readonly t: "prog"; readonly epoch: string; readonly to: number }
  /**
   * Entries up to `to` were not sent. `compacted`, `epoch`: the log can't say them any more, what is held of this shard must go. `slow`: this
   * session is too far behind; `changes` still tells them. With `id` it is about that subscription alone, and a snapshot follows.
   */
  | {
      readonly t: "gap";
      readonly id?: number;
      readonly epoch: string;
      readonly to: number;
      readonly why: "compacted" | "epoch" | "slow";
    }
  /** `leaseMs`: the node may serve what it holds for so long, counted from the sending of its ping. Absent: no lease. */
  | {
      readonly t: "pong";
      readonly id: number;
      readonly epoch: string;
      readonly to: number;
      readonly leaseMs?: number;
    }
  /** A grant that was given to this session has ended otherwise than by its release: it expired, was forced, or was not claimed in time. */
  | {
      readonly t: "lost";
      readonly name: string;
      readonly fence: number;
      readonly reason: LockEnd;
    }
  | { readonly t: "beat" }
  /** Asks for `seen`: pushes wait when too much was sent that has not been seen to come. */
  | { readonly t: "mark"; readonly n: number }
  /** Reconnect, each node at a moment of its own within so many ms. */
  | { readonly t: "go"; readonly withinMs: number };

/**
 * Why a socket is closed. 40xx: not to be repeated as it is; 41xx: later, with full jitter; 42xx: at once. `docs/http.md` lists them.
 */
export const closeCodes = {
  invalidFrame: 4000,
  protocolMismatch: 4001,
  unauthorized: 4003,
  helloLate: 4004,
  ackInvalid: 4005,
  frameTooLarge: 4009,
  spaceGone: 4010,
  overloaded: 4100,
  slow: 4101,
  idle: 4102,
  restarting: 4200,
} as const;
