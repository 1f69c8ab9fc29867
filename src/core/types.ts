/** What the core's callers see: options, answers and events. The classes behind them are in the files beside this one. */

import type { Adapter, CallOptions, FenceGuard, ListedKey, StoredEntry } from "../adapter/adapter.ts";
import type { Cache, CacheStats } from "../cache/cache.ts";
import type { ErrorData } from "../errors.ts";
import type { Leases } from "../lease/lease.ts";
import type { Locks } from "../lock/lock.ts";
import type { Mode, RegistrationSettings, StoredRegistration } from "../protocol/registration.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Codec } from "../runtime/codec.ts";
import type { Random } from "../runtime/random.ts";
import type { StandardSchemaV1 } from "../runtime/standard-schema.ts";
import type { SyncBus } from "../syncbus/syncbus.ts";
import type { WatchBus } from "../watchbus/watchbus.ts";
import type { MutationOptions, MutationResult, WriteOptions } from "./mutation-types.ts";
import type { RegistrationOptions } from "./registration-options.ts";

export type { AdaptiveTtl, FrequencyTtl, HistoryPolicy } from "../protocol/registration.ts";
export type {
  CampaignOptions,
  ForceOptions,
  Leader,
  LeaseListOptions,
  LockListOptions,
  WarpLockOptions,
} from "./lock-types.ts";
export type {
  DeleteOptions,
  MergeOptions,
  MutationOptions,
  MutationResult,
  Operand,
  WriteOptions,
} from "./mutation-types.ts";
export type { RegistrationOptions } from "./registration-options.ts";
export type {
  CasOptions,
  CommitOptions,
  Comparand,
  ResolveOptions,
  TransactionDeleteOptions,
  TransactionDone,
  TransactionMergeOptions,
  TransactionRead,
  TransactionResult,
  TransactionSetOptions,
  TransactionStep,
  TransactionWrite,
} from "./transaction-types.ts";
export type { HistoryOptions, HistoryPage, KeptEntry, VersionEntry } from "./version-types.ts";
export type { WarmupOptions, WarmupProgress } from "./warmup-types.ts";
export type { PublishCall, Published, ScopeWatchCall, WatchCall, WatchedItem } from "./watch-types.ts";
export type { CallOptions, FenceGuard, Mode, RegistrationSettings, StoredRegistration };

/** What a `Warp` is made of. Presets fill it in. */
export interface WarpOptions {
  readonly adapter: Adapter;
  readonly cache: Cache;
  /**
   * A cache that all nodes share, asked before the authority for keys whose policy has `kvTtlMs`: `kvCache(namespace, { space, ttlMs })`, whose
   * `ttlMs` should be no less than any `kvTtlMs`. Its failures are `error` events. Default none: `kvTtlMs` then does nothing.
   */
  readonly secondTier?: Cache;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly background: Background;
  /** Static registrations from configuration: always there, changed only by configuration. */
  readonly registrations?: readonly { readonly pattern: string; readonly options: RegistrationOptions }[];
  /** Longest that another's load is waited for before the waiter loads by itself, in ms. Default 5,000. */
  readonly joinTimeoutMs?: number;
  /** Whose op ids these are. Default `"node"`. */
  readonly subject?: string;
  /** The adapter is shared with others: `close()` leaves it open. Default false. */
  readonly sharedAdapter?: boolean;
  /**
   * On which nodes tell each other what they changed, for storages that do not tell by themselves: this node's own end, closed with it. The
   * `shard` adapter needs none. Default none.
   */
  readonly bus?: SyncBus;
  /** How long a publication may take, 1 to 120,000 ms; then it is a `publishError`. Default: as long as it takes. */
  readonly publishTimeoutMs?: number;
  /** Locks and elections: this node's own driver, closed with it. Default none: they are `unsupported`. */
  readonly locks?: Locks;
  /** Leases: this node's own driver, closed with it. Default none: they are `unsupported`. */
  readonly leases?: Leases;
  /** Watching and publishing: this node's own driver, closed with it. Default none: they are `unsupported`. */
  readonly watches?: WatchBus;
  /** Whether handles of leases keep them alive unless told otherwise. Default true; false where timers end with a request. */
  readonly renewLeases?: boolean;
  /** Measures elapsed time, for what holds until some time has passed; never goes back. Default: `clock`, which stands still where that is set back. */
  readonly elapsed?: Clock;
}

/** How a value was come by. `hit`: from L1 or the second tier. `bypass`: this mode reads at the authority. */
export type CacheOutcome = "hit" | "miss" | "stale" | "refresh" | "bypass";

/** A value and all that is known about it. */
export interface Entry<T> {
  readonly key: string;
  readonly value: T;
  /** The revision of the key's last change, at least 1. */
  readonly version: number;
  /** Entity tag of that version, without quotes. */
  readonly etag: string;
  /** `epoch.revision`: the log position at which this was true. */
  readonly cursor: string;
  readonly contentType: string;
  readonly modifiedAtMs: number;
  /** Ms since the node learned it; 0 for an answer straight from the authority. */
  readonly ageMs: number;
  /** Ms until the value itself ends; undefined: never. */
  readonly expiresInMs: number | undefined;
  /** Tags it was written with; absent: none. */
  readonly tags?: readonly string[];
  /** Past its TTL, or not proven fresh: given because nothing fresher could be had, or because the caller allows it. */
  readonly stale: boolean;
  readonly cache: CacheOutcome;
  /** The shard could not be reached: what its fallback knows, or what was known before a change that waits there. It has no `version` (0), `etag` or `cursor` (empty), and is `stale`. */
  readonly provisional?: true;
}

/** The answer about a key, there or not. Absent keys have version 0. */
export type Lookup<T> =
  | Entry<T>
  | {
      readonly key: string;
      readonly value: undefined;
      readonly version: 0;
      readonly cursor: string;
      readonly cache: CacheOutcome;
      /** As of an {@link Entry}: deleted, by a change that waits in the fallback. */
      readonly provisional?: true;
    };

/** What every read takes. */
export interface ReadCall extends CallOptions {
  /** A copy that is past its TTL but in its grace, or past `maxStalenessMs`, will do: it is given at once, marked stale. Default false. */
  readonly allowStale?: boolean;
}

export interface ReadOptions<T> extends ReadCall {
  /** Default `jsonCodec`. */
  readonly codec?: Codec<T>;
}

/** One operation of `warp.batch`. */
export type BatchOperation =
  | { readonly op: "get"; readonly key: string }
  | ({ readonly op: "set"; readonly key: string; readonly payload: StoredEntry["payload"] } & Pick<
      WriteOptions<never>,
      "expiresInMs" | "tags" | "when" | "guard" | "lease" | "opId" | "replace"
    >)
  | ({ readonly op: "merge"; readonly key: string; readonly operand: StoredEntry["payload"] } & Pick<
      WriteOptions<never>,
      "expiresInMs" | "tags" | "when" | "guard" | "lease" | "opId"
    >)
  | ({ readonly op: "delete"; readonly key: string } & Pick<WriteOptions<never>, "when" | "guard" | "opId">)
  | ({ readonly op: "invalidate"; readonly key: string } & Pick<WriteOptions<never>, "opId">);

/** The verdict of one operation of `warp.batch`: its own result, or its own error. */
export type BatchResult =
  | { readonly op: "get"; readonly lookup: Lookup<StoredEntry["payload"]> }
  | { readonly op: "set" | "merge" | "delete" | "invalidate"; readonly result: MutationResult }
  | {
      readonly op: BatchOperation["op"];
      readonly key: string;
      readonly opId?: string;
      readonly error: ErrorData;
    };

/** Options of `warp.batch` and `warp.setMany`. */
export interface BatchOptions extends MutationOptions {
  /** Whether written values enter L1 also where no copy is held. Default false: a large batch would push out what is hot. */
  readonly fill?: boolean;
}

/** Options of `warp.setMany`. */
export interface SetManyOptions<T> extends BatchOptions {
  readonly codec?: Codec<T>;
  /** Life of the values at the authority, 1 ms to 10 years. Default: until deleted. */
  readonly expiresInMs?: number;
  /** Tags of each of the values. */
  readonly tags?: readonly string[];
  /** Of each of the values: see `WriteOptions.guard`. */
  readonly guard?: FenceGuard;
  /** Of each of the values: see `WriteOptions.lease`. */
  readonly lease?: string;
  /** See `WriteOptions.replace`. */
  readonly replace?: boolean;
}

/** The verdict of one entry of `setMany`: its result, or its own error. */
export type SetManyResult =
  | { readonly key: string; readonly result: MutationResult; readonly error?: undefined }
  | { readonly key: string; readonly error: unknown; readonly result?: undefined };

/** Figures of a node since it was made. */
export interface WarpStats {
  /** Reads answered from L1 or, where a key has `kvTtlMs`, from the second tier. */
  readonly hits: number;
  /** Reads that no cache could answer. */
  readonly misses: number;
  /** Reads answered with a stale copy, counted neither as hits nor as misses. */
  readonly stale: number;
  /** Refreshes begun behind an answer: early ones and those after stale answers. */
  readonly refreshes: number;
  /** Times that demand changed the TTL of a key, its first decision included. */
  readonly ttlAdjustments: number;
  /** Keys that are hot now by their sliding window. */
  readonly hotKeys: number;
  /** Reads of strong keys that were asked of the storage. */
  readonly bypasses: number;
  /** Keys asked of the storage. */
  readonly loads: number;
  /** Reads that shared another's load. */
  readonly joins: number;
  /** Answers that the floor rule kept out of L1. */
  readonly refusedFills: number;
  /** Exchanges with a shard's log. */
  readonly catchUps: number;
  /** Times that all copies of a shard were dropped. */
  readonly drops: number;
  /** Background trouble, each an `error` event too. */
  readonly errors: number;
  /** Copies of the second tier that were used instead of a load. */
  readonly secondTierHits: number;
  /** Failed calls of the second tier, among `errors`. */
  readonly secondTierErrors: number;
  /** Changes of this node that the bus took. */
  readonly published: number;
  /** Changes of this node that could not be published, each a `publishError` event too. */
  readonly publishErrors: number;
  /** Events of other nodes that the bus brought. */
  readonly busEvents: number;
  /** Changes of this node that a fallback took, since their shard could not be reached. */
  readonly provisional: number;
  /** Watches that are under way now. */
  readonly watches: number;
  readonly cache: CacheStats;
}

/** What to drop from caches. Exactly one of the three; at most 16 tags. */
export type InvalidateTarget =
  | { readonly keys: readonly string[] }
  | { readonly prefix: string }
  | { readonly tags: readonly string[] };

export interface InvalidateResult {
  readonly opId: string;
  /** `epoch.revision` after it, one for each shard that took part. */
  readonly cursors: readonly string[];
}

export interface ListPage {
  readonly items: readonly ListedKey[];
  readonly cursor: string | undefined;
  readonly asOf: readonly string[];
}

/** Events of a node. Listeners must not throw: what they throw is given to `error`. */
export interface WarpEvents {
  readonly hit: { readonly key: string };
  readonly miss: { readonly key: string };
  /** A stale copy was given. */
  readonly stale: { readonly key: string };
  readonly set: { readonly key: string; readonly version: number };
  readonly delete: { readonly key: string };
  /** Copies dropped, by this node's call, by the log or by the bus. */
  readonly invalidate: {
    readonly key?: string;
    readonly prefix?: string;
    readonly tag?: string;
    readonly source: "local" | "log" | "bus";
  };
  /** A whole shard's copies dropped because its log could not say what changed. */
  readonly drop: { readonly shard: number; readonly reason: "compacted" | "epoch" };
  /** A change of this node could not be published on the bus: others learn of it by the bounds of their modes. */
  readonly publishError: {
    readonly key?: string;
    readonly prefix?: string;
    readonly tag?: string;
    readonly error: unknown;
  };
  /** Background trouble: a catch-up that failed, a listener that threw. */
  readonly error: { readonly error: unknown };
}

/** Options of `warp.scope`. */
export interface ScopeOptions<T> extends RegistrationOptions {
  readonly codec?: Codec<T>;
  /** Validates values before they are written and after they are decoded (once per cached copy). */
  readonly schema?: StandardSchemaV1<unknown, T>;
}
