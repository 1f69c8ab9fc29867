/** What HTTP calls answer: see the examples in the reference. Members that a newer deployment adds are not listed. */

interface Done {
  readonly opId: string;
  readonly replayed: boolean;
  /** As in a `KeyChange` of the HTTP calls: the change waits, and the answer has no more than `key`, `version` and `opId`. */
  readonly provisional?: true;
}

interface Value {
  readonly contentType?: string;
  /** One of these three, where there is a value. */
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
}

export interface WrittenKey extends Done {
  readonly key: string;
  readonly version: number;
  readonly etag: string;
  /** A cursor. */
  readonly revision: string;
  readonly created: boolean;
  readonly merged?: boolean;
}

export interface DeletedKey extends Done {
  readonly key: string;
  readonly version: number;
  readonly revision: string;
  readonly existed: boolean;
}

export interface RestoredKey extends Done {
  readonly key: string;
  readonly version: number;
  readonly etag: string;
  readonly revision: string;
  readonly restored: number;
}

export interface History {
  readonly key: string;
  readonly versions: readonly {
    readonly version: number;
    readonly etag?: string;
    readonly kind: "set" | "delete" | "expire";
    readonly atMs: number;
    readonly sizeBytes: number;
    readonly contentType?: string;
    readonly tags?: readonly string[];
  }[];
  readonly more: boolean;
  readonly floor: number;
  readonly revision: string;
}

export interface KeyPage {
  readonly items: readonly (Value & {
    readonly key: string;
    readonly version: number;
    readonly etag: string;
    readonly sizeBytes: number;
    readonly modifiedAtMs: number;
    readonly tags?: readonly string[];
  })[];
  readonly cursor?: string;
  readonly asOf: readonly string[];
}

/** How one operation of several ended. */
export interface OperationResult extends Value {
  readonly op: string;
  readonly key: string;
  readonly ok?: boolean;
  readonly found?: boolean;
  readonly version?: number;
  readonly etag?: string;
  readonly revision?: string;
  readonly opId?: string;
  readonly existed?: boolean;
  readonly replayed?: boolean;
  readonly cache?: string;
  readonly modifiedAtMs?: number;
  readonly tags?: readonly string[];
  readonly error?: unknown;
}

export interface TransactionResult extends Done {
  readonly succeeded: boolean;
  readonly version: number;
  readonly revision: string;
  readonly results: readonly OperationResult[];
}

export interface Operation {
  readonly opId: string;
  readonly state: "ok" | "fail" | "pending" | "unseen" | "sealed";
  readonly version?: number;
  readonly revision?: string;
  readonly error?: unknown;
}

export interface Changes {
  readonly cursor: string;
  readonly events: readonly (Value & {
    readonly kind: string;
    readonly cursor?: string;
    readonly key?: string;
    readonly version?: number;
    readonly revision?: number;
    readonly shard?: number;
    readonly omitted?: boolean;
    readonly value?: string;
  })[];
  readonly gap?: unknown;
}

export interface Grant extends Done {
  readonly name: string;
  readonly owner: string;
  readonly fence: number;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly count: number;
}

interface Holder extends Value {
  readonly owner: string;
  readonly fence: number;
  readonly kind: string;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly count: number;
  readonly take: number;
}

export interface LockState {
  readonly name: string;
  readonly holders: readonly Holder[];
  readonly waiters: number;
}

export interface ElectionState {
  readonly name: string;
  readonly leader?: Holder;
  readonly candidates?: number;
  readonly cursor: string;
  readonly events?: readonly unknown[];
  readonly gap?: boolean;
}

export interface Released {
  readonly name: string;
  readonly released: boolean;
  readonly count?: number;
}

export interface OfLease extends Done {
  readonly id: string;
}

export interface GrantedLease extends OfLease {
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly onEnd: "invalidate" | "delete";
}

export interface LeaseState {
  readonly id: string;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly onEnd: "invalidate" | "delete";
  readonly grantedAtMs: number;
  readonly lifeRemainingMs?: number;
  readonly shards: readonly number[];
}

/** A policy, with the pattern that it is of. */
export type Registration = {
  readonly pattern: string;
  readonly version: number;
  readonly source: string;
} & Readonly<Record<string, unknown>>;

export interface Space {
  readonly name: string;
  readonly shards: number;
  readonly strict: boolean;
  readonly createdAtMs: number;
  readonly registrationVersion: number;
}
