import type { CallOptions, FenceGuard, Precondition } from "../adapter/adapter.ts";
import type { Codec } from "../runtime/codec.ts";

/** Options of a mutation. */
export interface MutationOptions extends CallOptions {
  /** The idempotency token: a lower-case UUIDv7, at most 5 min old. Made if absent. */
  readonly opId?: string;
  /** Whose op id it is; see `WarpOptions.subject`. */
  readonly subject?: string;
}

export interface WriteOptions<T> extends MutationOptions {
  readonly codec?: Codec<T>;
  /** Life of the value at the authority, 1 ms to 10 years. Default: until deleted. */
  readonly expiresInMs?: number;
  /** At most 16 different ones of 1 to 128 bytes; see `InvalidateTarget`. */
  readonly tags?: readonly string[];
  /** Only if the key is at this version; 0: only if it is absent. */
  readonly ifVersion?: number;
  /** Only if this holds (entity tags); not together with `ifVersion`. */
  readonly when?: Precondition;
  /**
   * Only under this lock (`stale_fence` else): where it lies in the key's shard it must be held under this fence at the very moment of the write; elsewhere
   * the key must not have seen a higher fence of it. A `{tag}` in both names puts them into one shard.
   */
  readonly guard?: FenceGuard;
  /** Attaches the key to this live lease (its id) in the same commit; `lease_not_found` else, with nothing done. */
  readonly lease?: string;
  /** The value replaces what is stored also where the key's registration names a merge rule. Default false: there it is merged in. */
  readonly replace?: boolean;
}

/** What can be merged into a `T`: for objects any part of them, where `null` takes a member away (`deep-merge`). */
export type Operand<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: Operand<T[K]> | null }
    : T;

/** Options of `warp.merge`. */
export type MergeOptions<T> = Omit<WriteOptions<T>, "replace">;

export type DeleteOptions = Omit<WriteOptions<never>, "codec" | "expiresInMs" | "tags" | "lease" | "replace">;

/** What a mutation did. */
export interface MutationResult {
  readonly key: string;
  readonly opId: string;
  /** The key's version after it; 0: absent. */
  readonly version: number;
  readonly etag: string | undefined;
  /** `epoch.revision` of the answer. */
  readonly cursor: string;
  /** Whether the key existed before. */
  readonly existed: boolean;
  /** This op id had been carried out before: this is its first verdict. */
  readonly replayed: boolean;
  /** The storage behind the shard had not confirmed it when the wait for that was over (`write: "through"`). It is committed, and is carried on. */
  readonly storage?: "pending";
  /**
   * The shard could not be reached, and the space has a fallback: the change is kept there and is applied once, when the shard is back. Until then it has no `version` (0), `etag` or
   * `cursor` (empty), and `existed` (false) is not known.
   */
  readonly provisional?: true;
}
