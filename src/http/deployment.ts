/** What the HTTP edge stands on. The Worker's entry, the tests and other hosts each make one of these. */

import type { CallOptions } from "../core/types.ts";
import type { WarpNode } from "../core/warp-node.ts";
import type { Leases } from "../lease/lease.ts";
import type { Locks } from "../lock/lock.ts";
import type { AnsweredRequest } from "../metrics/isolate-metrics.ts";
import type { Format } from "../metrics/report.ts";
import type { OutboxUsage, SpaceOptionsData, UsageReply } from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { RedeemRequest } from "../protocol/tokens.ts";
import type { Caller } from "../protocol/wire/caller.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { Socket, SocketEvents } from "../runtime/socket.ts";
import type { Watch, WatchOptions, WatchTarget } from "../watchbus/watchbus.ts";
import type { HttpConfig } from "./config.ts";
import type { ReferenceSource } from "./reference.ts";

/** The part of a node that HTTP calls. */
export type SpaceWarp = Pick<
  WarpNode,
  | "lookup"
  | "set"
  | "merge"
  | "delete"
  | "txn"
  | "resolve"
  | "batch"
  | "invalidate"
  | "invalidateLocal"
  | "getAt"
  | "getVersion"
  | "history"
  | "restore"
  | "warmup"
  | "list"
  | "register"
  | "unregister"
  | "registrations"
  | "publish"
> &
  SpaceCoordination;

/** The drivers under a space's locks, elections and leases. Where there is none, `driver` throws `unsupported`. */
export interface SpaceCoordination {
  readonly locks: { readonly driver: Locks };
  readonly leases: { readonly driver: Leases };
}

/** What all shards of a space hold. */
export interface SpaceUsage {
  readonly keys: number;
  readonly valueBytes: number;
  readonly logEntries: number;
  readonly databaseBytes: number;
  /** What waits for the storage behind the shards; absent: nothing stands there. */
  readonly outbox?: OutboxUsage;
  readonly shards: readonly UsageReply[];
}

/** The part of the space administration that HTTP calls. */
export interface SpaceAdministration {
  /** Undefined where the space does not exist. */
  get(
    space: string,
    options?: CallOptions,
  ): Promise<{ readonly space: SpaceSettings; readonly registrations: number } | undefined>;
  create(
    space: string,
    settings: Partial<SpaceOptionsData>,
    options?: CallOptions,
  ): Promise<{ readonly space: SpaceSettings; readonly registrations: number; readonly created: boolean }>;
  /** Gives whether there was one. */
  delete(space: string, options?: CallOptions): Promise<boolean>;
  usage(space: string, options?: CallOptions): Promise<SpaceUsage>;
}

/** Where unexpected trouble goes. Facts never hold values or tokens. */
export interface HttpLog {
  error(message: string, facts: Readonly<Record<string, unknown>>): void;
}

/** Who counts requests, and knows the metrics of the whole deployment. */
export interface HttpMetrics {
  /** Told of each request when its answer is made. It must not throw and delays nobody. */
  observe(request: AnsweredRequest): void;
  /** All metrics as text. Rejects with `unavailable`. */
  scrape(format: Format): Promise<string>;
}

/** A socket to a caller, to whom messages are sent. */
export interface CallerSocket {
  readonly socket: Socket;
  /** What carries the other end to the caller. */
  readonly response: Response;
}

/** How callers watch. */
export interface WatchDoor {
  /** The watches of a caller: they see what the caller may, and end with its rights. Sockets under them belong to the request. */
  open(caller: Caller): ShardWatches;
  /** Opens a socket, with the subprotocol that was agreed on. Absent: plain sockets are `unsupported`. */
  readonly upgrade?: (protocol: string | undefined, events: Omit<SocketEvents, "opened">) => CallerSocket;
  readonly timers: Timers;
}

/** Watches that tell when they have come to the present. */
export interface ShardWatches {
  /** `timeoutMs`: how long it may take to begin. */
  watch(
    target: WatchTarget,
    options: WatchOptions & CallOptions,
  ): Promise<Watch & { readonly current: Promise<void> }>;
}

/** One deployment: its spaces, its settings and what it takes from the host. */
export interface Deployment {
  /** The `Warp` of a space, the same one for each call. `space` is well-formed; it need not exist. */
  warp(space: string): SpaceWarp;
  readonly spaces: SpaceAdministration;
  readonly config: HttpConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: HttpLog;
  /** Absent: imports don't wait where a shard has too much to do. */
  readonly timers?: Timers;
  /** Opens a socket at a shard, for a caller who may; the answer (101) carries it. Absent: `GET /v1/{space}/connect` is `unsupported`. */
  readonly connect?: (caller: Caller) => Promise<Response>;
  /** Spends a token for one use; gives whether it was fresh. Absent: such tokens are `unsupported`. */
  readonly redeem?: (request: RedeemRequest) => Promise<boolean>;
  /** Absent: watching is `unsupported`. */
  readonly watching?: WatchDoor;
  /** The description of the routes. Absent: `GET /docs` and `GET /openapi.json` are `unsupported`. */
  readonly reference?: ReferenceSource;
  /** Absent: nothing is counted and `GET /metrics` is `unsupported`. */
  readonly metrics?: HttpMetrics;
}
