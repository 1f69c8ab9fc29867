/**
 * What a node and a shard say to each other: plain data, the same over RPC and over a socket. The shard's object, every
 * transport in `connection/` and the tests' fakes speak exactly this.
 */

import type { ErrorData } from "../errors.ts";
import type { CallScope, Refusal, ShardStamp } from "./call-scope.ts";
import type { LeasePeerApi, LeaseShardApi } from "./lease.ts";
import type { LockShardApi } from "./lock.ts";
import type { Mutation, Verdict } from "./operation.ts";
import type { Payload } from "./payload.ts";
import type { RegistrationSettings, StoredRegistration } from "./registration.ts";
import type { Resolution } from "./resolution.ts";
import type { SpaceSettings, StorageSettings } from "./space.ts";
import type { KeptVersion, ListedKey, StoredEntry } from "./stored.ts";
import type { TokenApi } from "./tokens.ts";
import type { Transaction, TransactionVerdict } from "./transaction.ts";
import type { FallbackUsage, OutboxUsage } from "./usage.ts";
import type { WatchShardApi } from "./watch.ts";

export type { CallScope, Refusal, ShardStamp } from "./call-scope.ts";
export { type Mutation, type Precondition, scopeOpId, type Verdict } from "./operation.ts";
export type { Resolution } from "./resolution.ts";
export type { KeptVersion, ListedKey, StoredEntry } from "./stored.ts";
export type { FallbackUsage, OutboxUsage } from "./usage.ts";

export interface MutateRequest extends CallScope {
  readonly mutations: readonly Mutation[];
}

export interface MutateReply extends ShardStamp {
  /** One for each mutation, in order. */
  readonly verdicts: readonly Verdict[];
}

/** Asks for one kept version: the one of this number, or the one that was present at a time. */
export interface VersionRequest extends CallScope {
  readonly key: string;
  readonly which: { readonly version: number } | { readonly atMs: number };
}

export interface VersionReply extends ShardStamp {
  /** The kept version (of a deletion, asked for by its number, without payload); null: no such version, or the key did not exist then. */
  readonly found: (KeptVersion & { readonly payload?: Payload }) | null;
}

export interface HistoryRequest extends CallScope {
  readonly key: string;
  /** Only versions below this one; absent: from the newest on. */
  readonly before?: number;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface HistoryReply extends ShardStamp {
  /** Newest first. */
  readonly versions: readonly KeptVersion[];
  readonly more: boolean;
  /** The oldest version that is kept, below it reads are `version_compacted`; where none is, the one after `asOf`. */
  readonly floor: number;
}

/** Asks to be the one that loads a missing key for all nodes. */
export interface ClaimRequest extends CallScope {
  readonly key: string;
  /** Who asks; random, one for each load. */
  readonly holder: string;
  /** How long the claim stands unless it is ended: 100 to 120,000 ms. */
  readonly ttlMs: number;
  /** How long to wait for another's load to end: 0 to 30,000 ms. */
  readonly waitMs: number;
  /** Ends the holder's claim instead. */
  readonly release?: true;
}

export interface ClaimReply extends ShardStamp {
  /** `granted`: load it. `changed`: the key was written or the other's claim ended, read again. `busy`: another still loads. */
  readonly claim: "granted" | "changed" | "busy" | "released";
}

export interface ReadRequest extends CallScope {
  readonly keys: readonly string[];
  /** The answer must be the newest (rule ST1): the shard first makes sure that it is still the authority (rule ST5). */
  readonly strong?: true;
  /**
   * The node asks to hold copies of these keys under its node lease. Only a session with an open socket may: elsewhere it counts as
   * `strong` alone.
   */
  readonly hold?: true;
}

export interface TransactRequest extends CallScope {
  readonly transaction: Transaction;
}

export interface TransactReply extends ShardStamp {
  readonly verdict: TransactionVerdict;
}

/** Asks what became of operations (rule OU3). */
export interface ResolveRequest extends CallScope {
  /** Scoped op ids, at most 1,000. */
  readonly opIds: readonly string[];
  /** What was not seen is made definite: a copy that comes late is refused with `op_sealed`. */
  readonly seal?: true;
}

export interface ResolveReply extends ShardStamp {
  /** One for each op id, in order. */
  readonly resolutions: readonly Resolution[];
}

export interface ReadReply extends ShardStamp {
  /**
   * One for each key, in order; null: absent. It may be shorter than `keys`: a reply carries at most 16 MiB of values (but at least
   * one), and the rest is to be asked for again.
   */
  readonly entries: readonly (StoredEntry | null)[];
  /** The places in `entries` of those that the asking session may hold. Absent: none. */
  readonly held?: readonly number[];
  /** Put there by the node's own connection, never sent: the tenure (see `Pushes`) under which it may hold those. */
  readonly tenure?: number;
}

export interface ListRequest extends CallScope {
  /** Only keys that begin with it; empty: all. */
  readonly prefix: string;
  /** Only keys after this one, in order of their UTF-8 bytes. */
  readonly after?: string;
  /** 1 to 1,000. */
  readonly limit: number;
  /** Whether the values come too; a page then ends at 4 MiB of them. */
  readonly values: boolean;
  /**
   * Asks the space's first shard instead for names under the prefix that the storage behind the space has, in no order, from this cursor on (empty: from the beginning). No shard need
   * know them yet: who reads them makes them known.
   */
  readonly stored?: string;
}

export interface ListReply extends ShardStamp {
  readonly items: readonly ListedKey[];
  /** Whether there are more after the last item. */
  readonly more: boolean;
  /** What was asked for by `stored`; the items are none then. A name may come twice. Without a cursor that was the last. */
  readonly stored?: { readonly keys: readonly string[]; readonly cursor?: string };
}

/** What a log entry did. `register` is a changed registration (shard 0 only). */
export type ChangeKind =
  | "set"
  | "delete"
  | "expire"
  | "invalidate"
  | "invalidatePrefix"
  | "invalidateTag"
  /** A strong write has begun: copies must go, the value is still the old one. */
  | "intent"
  | "register"
  /** A lease whose home is this shard has ended. What that does to keys follows as entries of their own, in their shards. */
  | "leaseEnd";

/** One log entry as nodes see it. */
export interface Change {
  readonly revision: number;
  readonly kind: ChangeKind;
  /** The key; the prefix for `invalidatePrefix`; the tag for `invalidateTag`; the pattern for `register`; the id for `leaseEnd`. */
  readonly key: string;
}

export interface ChangesRequest extends CallScope {
  /** The epoch and revision that the node has applied. */
  readonly epoch: string;
  readonly since: number;
  /** 1 to 10,000 entries. */
  readonly limit: number;
}

export interface ChangesReply extends ShardStamp {
  /** The entries of `(since, to]` in order. With a gap: none, and `to` is the head. */
  readonly changes: readonly Change[];
  readonly to: number;
  /** Why the log can't say: it was trimmed, or the epoch is another. What the node holds of this shard must go. */
  readonly gap?: "compacted" | "epoch";
}

/** Settings and figures of a space, from its shard 0. */
export interface SpaceReply {
  readonly space: SpaceSettings;
  readonly registrations: number;
}

/** What one shard holds. */
export interface UsageReply extends ShardStamp {
  readonly keys: number;
  /** Bytes of all stored values. */
  readonly valueBytes: number;
  readonly logEntries: number;
  /** The oldest revision that `changes` can go back to. */
  readonly logFloor: number;
  readonly databaseBytes: number;
  /** What the storage behind the shard has yet to confirm; absent: there is none. */
  readonly outbox?: OutboxUsage;
  /** What became of what was proposed while the shard could not be reached; absent: the space has no fallback. */
  readonly fallback?: FallbackUsage;
}

export interface RegistrationsReply {
  /** The registration version of this list. */
  readonly registrations: number;
  readonly list: readonly StoredRegistration[];
}

/** Registers `pattern`, or changes it if `ifVersion` is its version. */
export interface RegisterRequest extends CallScope {
  readonly pattern: string;
  readonly settings: RegistrationSettings;
  /** Undefined: create, or confirm the very same settings. */
  readonly ifVersion?: number;
}

export interface RegisterReply {
  readonly registration: StoredRegistration;
  readonly registrations: number;
  readonly created: boolean;
}

export interface UnregisterRequest extends CallScope {
  readonly pattern: string;
}

/**
 * The calls of one shard. Each answers with its reply or a {@link Refusal}; it throws only when the shard can't be
 * reached or broke, in which case a mutation's outcome is unknown.
 */
export interface ShardApi extends LockShardApi, LeaseShardApi, WatchShardApi {
  read(request: ReadRequest): Promise<ReadReply | Refusal>;
  mutate(request: MutateRequest): Promise<MutateReply | Refusal>;
  transact(request: TransactRequest): Promise<TransactReply | Refusal>;
  resolve(request: ResolveRequest): Promise<ResolveReply | Refusal>;
  list(request: ListRequest): Promise<ListReply | Refusal>;
  changes(request: ChangesRequest): Promise<ChangesReply | Refusal>;
  usage(request: CallScope): Promise<UsageReply | Refusal>;
  /** A kept version. Refused with `version_compacted` beyond the kept history (rule VE5), `invalid_version` for the future. */
  readVersion(request: VersionRequest): Promise<VersionReply | Refusal>;
  history(request: HistoryRequest): Promise<HistoryReply | Refusal>;
  /** Held in memory only: a claim saves work, it promises nothing. */
  claimLoad(request: ClaimRequest): Promise<ClaimReply | Refusal>;

  /** Shard 0 only: the space, if it exists. */
  getSpace(space: string): Promise<SpaceReply | Refusal>;
  /** Shard 0 only: creates the space, or confirms the very same settings. */
  createSpace(
    space: string,
    options: Partial<SpaceOptionsData>,
  ): Promise<(SpaceReply & { created: boolean }) | Refusal>;
  /**
   * Ends the space's data in this shard. On shard 0, call it last; `begin` first marks the space as being deleted. With `spaceId`
   * only that life of the space: a shard of another one is left as it is.
   */
  deleteSpace(
    space: string,
    step: "begin" | "finish",
    spaceId?: string,
  ): Promise<{ readonly deleted: boolean } | Refusal>;
  /** Shard 0 only. */
  getRegistrations(request: CallScope): Promise<RegistrationsReply | Refusal>;
  register(request: RegisterRequest): Promise<RegisterReply | Refusal>;
  unregister(
    request: UnregisterRequest,
  ): Promise<{ readonly removed: boolean; readonly registrations: number } | Refusal>;
}

/** The end of one call of several: its reply, or what it threw. */
export type Ended<Reply> = Reply | { readonly thrown: ErrorData };

/** What a shard's object offers over RPC beside its calls: several of them in one message, each with an end of its own. */
export interface RpcShardApi extends ShardApi, LeasePeerApi, TokenApi {
  mutateMany(requests: readonly MutateRequest[]): Promise<readonly Ended<MutateReply | Refusal>[]>;
}

/** What a caller may choose about a new space. */
export interface SpaceOptionsData {
  readonly shards: number;
  readonly strict: boolean;
  readonly storage: StorageSettings;
  readonly fallback: string;
}

/** Whether a reply is a refusal. */
export function isRefusal(reply: object): reply is Refusal {
  return "refused" in reply;
}
