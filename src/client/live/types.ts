/** The surface of the live client: what applications in browsers and in Node see. */

import type { WarpError } from "../../errors.ts";
import type { FenceGuard } from "../../protocol/operation.ts";
import type { WatchMode, WatchOperation, WatchTarget } from "../../protocol/watch.ts";
import type { FrameCodec } from "../../protocol/wire/frame-codec.ts";
import type { ClientHost, Sharing } from "../../runtime/client-host.ts";
import type { Codec } from "../../runtime/codec.ts";
import type { PresenceSeat } from "../../watchbus/watchbus.ts";
import type { WatchedItem } from "../../watchbus/watched-item.ts";
import type { HttpAnswers, HttpArguments, HttpRoute } from "./routes.ts";

export type { WatchedItem } from "../../watchbus/watched-item.ts";

/** What `createClient` takes. */
export interface ClientOptions {
  /** Where the deployment is: `http` or `https`, without a path of its own or with that of a proxy. */
  readonly url: string;
  readonly space: string;
  /** A function is asked before each new socket, before a token ends, and for each HTTP call. Default none: for open deployments. */
  readonly token?: string | (() => string | Promise<string>);
  /** Default: JSON; a `Uint8Array` as `application/octet-stream`; reads text types as text, and what is neither as bytes. */
  readonly codec?: Codec<unknown>;
  /** How long a call may take unless it says so itself: 1 to 120,000 ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** Bounds of what is kept to be sent once the deployment can be reached. */
  readonly queue?: {
    /** Default 1,000; 0: nothing is queued. */
    readonly maxOperations?: number;
    /** Bytes of keys and values. Default 1 MiB. */
    readonly maxBytes?: number;
  };
  /** One connection for the tabs of an origin: `tabSharing()` of `warp-edge/client/tabs`. */
  readonly share?: Sharing;
  /** How frames are written. Default JSON; `warp-edge/msgpack` has another. */
  readonly frames?: FrameCodec;
  /** Default: what the host's globals give; in Node better `nodeClientHost()` of `warp-edge/node`. */
  readonly host?: ClientHost;
}

/**
 * `connecting`: the first connection, or the next after one that broke, is being made or waited for. `online`: every connection in use stands. `offline`: the host says that there is no
 * network, the page is frozen, or attempts fail. `closed`: by {@link WarpClient.close}.
 */
export type ClientStatus = "connecting" | "online" | "offline" | "closed";

/** How long a call may take, and what ends it. */
export interface ClientCallOptions {
  readonly signal?: AbortSignal;
  /** 1 to 120,000 ms. Default: the client's. */
  readonly timeoutMs?: number;
}

export interface ClientGetOptions extends ClientCallOptions {
  /** `strong`: linearizable (rule ST1). Default: the newest that the shard has committed. */
  readonly mode?: "eventual" | "strong";
  readonly codec?: Codec<unknown>;
}

/** Options of all that changes a key. */
export interface ClientMutationOptions extends ClientCallOptions {
  /** Only if the key is at this version; 0: only if it is absent. Else `precondition_failed`. */
  readonly ifVersion?: number;
  /** Only if the key is absent. Not together with `ifVersion`. */
  readonly ifAbsent?: boolean;
  /** Only under this lock: `stale_fence` else. */
  readonly fence?: FenceGuard;
  /** A lower-case UUIDv7. Made if absent; a repeat with the same one has no second effect. */
  readonly opId?: string;
  /** What becomes of it while the deployment can't be reached: `queue` (the default) sends it later, in order; `fail` refuses it at once (`unavailable`). */
  readonly offline?: "queue" | "fail";
}

export interface ClientWriteOptions extends ClientMutationOptions {
  /** Life of the value at the authority, 1 ms to 10 years. Default: until deleted. */
  readonly expiresInMs?: number;
  readonly tags?: readonly string[];
  /** Attaches the key to this live lease in the same commit. */
  readonly lease?: string;
  readonly codec?: Codec<unknown>;
}

export interface ClientSetOptions extends ClientWriteOptions {
  /** The value replaces what is stored also where the key has a merge rule. Default false: it is merged in. */
  readonly replace?: boolean;
}

/** A key's value. */
export interface ClientEntry<T = unknown> {
  readonly key: string;
  readonly value: T;
  /** At least 1. */
  readonly version: number;
  /** `epoch.revision`: the position in its shard's log at which this was true. */
  readonly cursor: string;
  readonly contentType: string;
  /** Ms until the value itself ends; absent: never. */
  readonly expiresInMs?: number;
}

/** A change that is done. */
export interface Done {
  readonly opId: string;
  /** The key's version after it; 0: absent. */
  readonly version: number;
  /** Of this change in its shard's log; 0: it changed nothing. */
  readonly revision: number;
  /** `epoch.revision` of the answer. */
  readonly cursor: string;
  /** Whether the key existed before. */
  readonly existed: boolean;
  /** This op id had been carried out before: this is its first verdict. */
  readonly replayed: boolean;
  /** The storage behind the shard had not confirmed it when the wait for that was over (`write: "through"`). It is committed. */
  readonly storage?: "pending";
}

/** A change that waits in the queue: nobody knows yet how it will end. `queue.settled` tells. */
export interface Queued {
  /** Its op id, by which {@link ClientQueue.settled} names it. */
  readonly queued: string;
}

export type Written = Done | Queued;

/** How a queued change ended: done, refused (it has had no effect and will have none), or of unknown fate. */
export type Settled = { readonly queued: string; readonly key: string } & (
  | { readonly outcome: "ok"; readonly done: Done }
  | { readonly outcome: "fail" | "unknown"; readonly error: WarpError }
);

/** Changes that wait for a connection, in the order in which they were made. */
export interface ClientQueue {
  readonly size: number;
  /** Tells how each ends, in order; the answer ends that. */
  settled(listener: (settled: Settled) => void): () => void;
  /** Tries at once, whatever the status; settles when nothing waits any more, or the connection breaks. */
  flush(): Promise<void>;
  /** Drops what has not been sent: each is told as `fail`, `aborted`. Gives how many. */
  clear(): number;
}

/**
 * `connecting`: not begun. `live`: told everything as it happens. `catching-up`: connected, and told what was missed or the state. `offline`: what it has told may be out of date. `ended`.
 */
export type WatchStatus = "connecting" | "live" | "catching-up" | "offline" | "ended";

export interface ClientWatchOptions<T = unknown> {
  /** `now` (default): what happens from `ready` on. `snapshot`: the state first. `{ cursor }`: what has happened since, of a watch of the same target. */
  readonly from?: "now" | "snapshot" | { readonly cursor: string };
  /** Default `all`. */
  readonly mode?: WatchMode;
  /** Default: all. */
  readonly ops?: readonly WatchOperation[];
  /** Who shows itself at exactly this target is told, and this watch to them: a `Presence` of `warp-edge/client/presence`. */
  readonly presence?: PresenceSeat;
  readonly signal?: AbortSignal;
  readonly codec?: Codec<T>;
  /** Takes each item in place of a loop, one at a time; a promise that it gives is waited for. */
  readonly onEvent?: (item: WatchedItem<T>) => void | Promise<void>;
  /** What ended the watch, or what `onEvent` threw: that does not end it. Without, it is reported as an uncaught error would be. */
  readonly onError?: (error: unknown) => void;
}

/** A watch: one loop, or `onEvent`, reads it. It outlives its connections. */
export interface ClientWatch<T = unknown> extends AsyncIterable<WatchedItem<T>> {
  /** Settles when everything that happens from then on will be told; rejects where it ends before. */
  readonly ready: Promise<void>;
  /** To resume behind all that was taken (rule WA3). Undefined before it has begun, and while a snapshot is under way. */
  readonly cursor: string | undefined;
  readonly status: WatchStatus;
  onStatus(listener: (status: WatchStatus) => void): () => void;
  /** Idempotent. A loop that waits ends. */
  close(): void;
}

export interface ClientPublishOptions extends ClientCallOptions {
  /** Kept in the log, and told to those who resume later, too. Default false. */
  readonly retained?: boolean;
  readonly opId?: string;
  readonly codec?: Codec<unknown>;
}

/** A space, as an application far from it uses it: no cache of its own, no node lease, one socket for each shard that it needs. */
export interface WarpClient {
  readonly space: string;
  readonly status: ClientStatus;
  onStatus(listener: (status: ClientStatus) => void): () => void;
  /** The value of a key; undefined: it is absent. Throws `space_not_found`, `invalid_key`, `forbidden`, `decode_failed`, `unavailable`, `deadline_exceeded`, `aborted`. */
  get<T = unknown>(key: string, options?: ClientGetOptions): Promise<ClientEntry<T> | undefined>;
  /** Throws what the shard refuses (outcome `fail`), or an error of outcome `unknown` where the answer was lost: a repeat with the same op id tells. */
  set(key: string, value: unknown, options?: ClientSetOptions): Promise<Written>;
  delete(key: string, options?: ClientMutationOptions): Promise<Written>;
  /** Merges an operand by the rule that the key's registration names; `merge_rule_missing`. */
  merge(key: string, operand: unknown, options?: ClientWriteOptions): Promise<Written>;
  watch<T = unknown>(target: WatchTarget, options?: ClientWatchOptions<T>): ClientWatch<T>;
  /** Tells a value, at most 64 KiB as bytes, to those who watch. Never queued. */
  publish(target: WatchTarget, value: unknown, options?: ClientPublishOptions): Promise<void>;
  /** Makes any HTTP call; see `HttpRoutes`. Gives the parsed answer; a problem is thrown as the WarpError that it stands for. */
  http<R extends HttpRoute>(route: R, ...parameters: HttpArguments<R>): Promise<HttpAnswers<R>>;
  readonly queue: ClientQueue;
  /** Ends watches and sockets; what is queued is told as `fail`. Idempotent. */
  close(): Promise<void>;
}
