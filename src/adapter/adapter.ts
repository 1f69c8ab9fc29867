/**
 * The contract of storage: what a node reads from and writes to behind its L1. One file, one contract; drivers live in the folders
 * beside it, and `test/contract/adapter.ts` holds each of them to every line here.
 */

import type { WarpError } from "../errors.ts";
import type { FenceGuard } from "../protocol/operation.ts";
import type { Payload } from "../protocol/payload.ts";
import type { Position } from "../protocol/position.ts";
import type { Pushes } from "../protocol/pushes.ts";
import type { RegistrationSettings, StoredRegistration } from "../protocol/registration.ts";
import type {
  Change,
  ClaimReply,
  ClaimRequest,
  KeptVersion,
  ListedKey,
  Mutation,
  Precondition,
  Resolution,
  StoredEntry,
  Verdict,
  VersionReply,
  VersionRequest,
} from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { Transaction, TransactionVerdict } from "../protocol/transaction.ts";

export type { PushedChanges, PushedInvalidation, Pushes, PushListener } from "../protocol/pushes.ts";
export type {
  Comparison,
  KeyComparison,
  LockComparison,
  OperationResult,
  Transaction,
  TransactionOperation,
  TransactionVerdict,
} from "../protocol/transaction.ts";
export type {
  Change,
  FenceGuard,
  KeptVersion,
  ListedKey,
  Mutation,
  Payload,
  Precondition,
  StoredEntry,
  Verdict,
};

/** What a driver can do; a missing ability is refused with `unsupported`, and that refusal is tested. */
export interface AdapterSupports {
  /** What is set can be read again by others. False only for the null driver. */
  readonly storage: boolean;
  /** A batch over any keys is all or nothing when the storage fails in its middle, and visible at once. */
  readonly atomicBatch: boolean;
  /** `changes` tells every change since a position: nodes over this storage can stay coherent. */
  readonly changes: boolean;
  /** Registrations are kept with the space, so that every node shares them. */
  readonly registrations: boolean;
  /** Data outlives the process. */
  readonly persistent: boolean;
  /** `readVersion`, `history` and `restore`. */
  readonly history: boolean;
  /** `claimLoad` is shared by all nodes. */
  readonly claims: boolean;
  /** `transact`. */
  readonly transactions: boolean;
  /** Merge rules run inside the commit; without, a registration with one is refused. */
  readonly merge: boolean;
  /** Strong writes wait for other nodes: `quorum` and `minZones` may be registered. */
  readonly quorum: boolean;
  /** `lease` on `set` and `merge`. */
  readonly leases: boolean;
  /** Guards of mutations, and comparisons of a lock's fence; without, both are refused. */
  readonly fences: boolean;
}

/** What every call takes. */
export interface CallOptions {
  /** Gives up with `aborted`. */
  readonly signal?: AbortSignal;
  /** Gives up with `deadline_exceeded` (a mutation's outcome is unknown then). Default 10,000 ms, at most 120,000. */
  readonly timeoutMs?: number;
}

/** The answer about one key. `entry` is absent where the key is. */
export interface ReadAnswer {
  readonly key: string;
  readonly entry: StoredEntry | undefined;
  /** The log position at which it was true. */
  readonly asOf: Position;
  /** The tenure (see `Pushes`) under which the node may hold it and serve it in strong mode; absent: it may not. */
  readonly tenure?: number;
  /** The shard could not be reached: what is known of the key by the way around it. `asOf` says nothing, and a version of 0 is none. */
  readonly provisional?: true;
  /** Only on such a way: nothing is known of this key, and why. */
  readonly error?: WarpError;
}

/** What reads take. */
export interface ReadOptions extends CallOptions {
  /** The answer must be the newest; `hold`: and the node would hold a copy under its node lease. Default: committed, not necessarily newest. */
  readonly strong?: "read" | "hold";
}

/** The answer about a transaction. */
export interface TransactionAnswer {
  readonly verdict: TransactionVerdict;
  readonly asOf: Position;
}

/** The answer about one mutation. */
export interface MutationAnswer {
  readonly key: string;
  readonly opId: string;
  readonly verdict: Verdict;
  readonly asOf: Position;
  /** A prefix is invalidated in every shard: what the shards after the first answered. Only where there are several. */
  readonly others?: readonly { readonly verdict: Verdict; readonly asOf: Position }[];
  /** The shard could not be reached: the verdict is the way around it's, and `asOf` says nothing. */
  readonly provisional?: true;
}

/** A way around shards that can't be reached (rule SB8). */
export interface Detour {
  /** Whether it is taken now for `key`: a copy whose freshness can't be proven may then be given, marked stale. */
  isTaken(key: string): boolean;
  /** Whether `shard` is known not to be reached: that a call of it is refused is no news then. */
  isAway(shard: number): boolean;
  /** Copies that others read of `key` up to this time, by the node's clock, may lack what has been given to readers here. */
  barrierAtMs(key: string): number;
  /** What the node held of a key that it has just changed on this way. Where only the shard will know the new value, it is the last one known. */
  recall(key: string, held: Pick<StoredEntry, "payload" | "version" | "modifiedAtMs" | "tags">): void;
}

/** One page of a list. */
export interface ListAnswer {
  readonly items: readonly ListedKey[];
  /** Where the next page begins; undefined: this was the last. Opaque. */
  readonly cursor: string | undefined;
  /** One position for each shard, in order. */
  readonly asOf: readonly Position[];
}

export interface ListOptions extends CallOptions {
  /** Default: all keys. */
  readonly prefix?: string;
  /** 1 to 1,000; default 100. */
  readonly limit?: number;
  readonly cursor?: string;
  /** Whether values come too. Default false. */
  readonly values?: boolean;
}

/** What happened in one shard since a position. */
export interface ChangesAnswer {
  readonly changes: readonly Change[];
  /** The position after the last of `changes`; with a gap, the head of the log. */
  readonly to: Position;
  /** Whether `to` is the head: nothing more has happened by the time of the answer. */
  readonly complete: boolean;
  /** The log can't say what happened: everything held of this shard must go. */
  readonly gap: "compacted" | "epoch" | undefined;
}

/** One version of a key: the one of a number, or what was present at a time. */
export interface VersionAnswer {
  /** Null: the key has no version of this number, or did not exist at this time. A deletion, asked for by its number, has no payload. */
  readonly found: VersionReply["found"];
  readonly asOf: Position;
}

/** A page of kept versions. */
export interface HistoryAnswer {
  readonly versions: readonly KeptVersion[];
  readonly more: boolean;
  /** The oldest version that is kept: below it reads are `version_compacted`. Where none is, the one after the log's head. */
  readonly floor: number;
  readonly asOf: Position;
}

/**
 * Storage. Mutations end in verdicts: a definite refusal is a verdict of its own mutation, while an error thrown by the call
 * concerns the whole call and says by its `outcome` whether anything may have been done.
 */
export interface Adapter {
  readonly supports: AdapterSupports;

  /** The shard of a key: a small integer that keys of one log share. Needs no storage. */
  shardOf(key: string): number;

  /** The answers for 1 to 1,000 keys, in order. */
  getMany(keys: readonly string[], options?: ReadOptions): Promise<readonly ReadAnswer[]>;
  /** Carries out 1 to 1,000 mutations, of one shard in their order; the answers stand in order. */
  batch(mutations: readonly Mutation[], options?: CallOptions): Promise<readonly MutationAnswer[]>;
  /**
   * All or nothing at one revision (rule TX1). A refusal is a verdict. `unsupported` without `supports.transactions`; `cross_shard`, `duplicate_key`,
   * `batch_too_large` before anything is sent.
   */
  transact(transaction: Transaction, options?: CallOptions): Promise<TransactionAnswer>;
  /**
   * What became of operations (rule OU3): `opId` as it was scoped, `key` what it was about (absent: a prefix or a tag, so every shard is asked). With
   * `seal` what was not seen is refused from now on.
   */
  resolve(
    operations: readonly { readonly opId: string; readonly key?: string }[],
    options?: CallOptions & { readonly seal?: boolean },
  ): Promise<readonly Resolution[]>;
  /** A page of keys in order of their UTF-8 bytes. */
  list(options?: ListOptions): Promise<ListAnswer>;
  /**
   * A page of names under a prefix that stand in a storage behind this one, in no order, some of which it may not list yet: reading them makes it know them. Absent: there is no such
   * storage.
   */
  stored?(
    prefix: string,
    cursor: string | undefined,
    options?: CallOptions,
  ): Promise<{ readonly keys: readonly string[]; readonly cursor: string | undefined }>;

  /** The changes of `since.shard` after `since`, at most 10,000. `unsupported` where `supports.changes` is false. */
  changes(since: Position, options?: CallOptions): Promise<ChangesAnswer>;

  /** One kept version (rule VE2). `version_compacted` beyond the kept history; `unsupported` without `supports.history`. */
  readVersion(key: string, which: VersionRequest["which"], options?: CallOptions): Promise<VersionAnswer>;
  /** Kept versions of a key, newest first: `limit` 1 to 1,000, default 100. */
  history(
    key: string,
    options?: CallOptions & { readonly before?: number; readonly limit?: number },
  ): Promise<HistoryAnswer>;
  /** Asks to be the one that loads a missing key for all nodes. `unsupported` without `supports.claims`. */
  claimLoad(
    request: Pick<ClaimRequest, "key" | "holder" | "ttlMs" | "waitMs" | "release">,
    options?: CallOptions,
  ): Promise<ClaimReply["claim"]>;

  /** The space's settings; undefined before it exists. */
  space(options?: CallOptions): Promise<SpaceSettings | undefined>;
  /** All registrations kept with the space and their version (0: none). */
  registrations(
    options?: CallOptions,
  ): Promise<{ readonly version: number; readonly list: readonly StoredRegistration[] }>;
  /**
   * Registers a pattern. The same settings again confirm; others are `registration_conflict` unless `ifVersion` is the present
   * version.
   */
  register(
    pattern: string,
    settings: RegistrationSettings,
    options?: CallOptions & { readonly ifVersion?: number },
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }>;
  /** Removes a registration; gives whether there was one. */
  unregister(pattern: string, options?: CallOptions): Promise<boolean>;

  /** The newest registration version that any answer has mentioned. */
  readonly registrationsSeen: number;
  /**
   * Grows when the space turns out to be gone, or another one than before (deleted and made again): nothing that was kept from earlier
   * answers counts any more, positions and the shards of keys included. Constant where that can't be.
   */
  readonly life: number;

  /** What the storage tells unasked, where it has a way to; undefined: nothing. */
  readonly pushes?: Pushes | undefined;
  /** Absent: there is no way around shards. */
  readonly detour?: Detour;

  /** Ends what the driver holds open; idempotent. Calls after it are `warp_closed`. */
  close(): Promise<void>;
}
