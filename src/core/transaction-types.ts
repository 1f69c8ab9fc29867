import type { CallOptions, Precondition } from "../adapter/adapter.ts";
import type { Codec } from "../runtime/codec.ts";
import type { MutationOptions, WriteOptions } from "./mutation-types.ts";

/** What a comparison holds a key against. All of it is judged at the authority, never on this node's copies (rule TX2). */
export type Comparand<T> =
  /** The key's version, 0 where it is absent. `is` defaults to `"equal"`. */
  | { readonly version: number; readonly is?: "equal" | "notEqual" | "less" | "greater" }
  | { readonly exists: boolean }
  /** The stored bytes are exactly those that the codec (default: JSON) makes of it. */
  | { readonly value: T; readonly codec?: Codec<T> }
  /** Entity tags, as `when` of a write. */
  | { readonly when: Precondition }
  /** The name is not a key's but a lock's, and that lock is held under this fence. */
  | { readonly fence: number };

/** Options of a set in a transaction. A condition of its own that fails is `precondition_failed` for the whole. */
export type TransactionSetOptions<T> = Omit<WriteOptions<T>, keyof MutationOptions>;

/** Options of a merge in a transaction. */
export type TransactionMergeOptions<T> = Omit<TransactionSetOptions<T>, "replace">;

/** Options of a delete in a transaction. */
export type TransactionDeleteOptions = Pick<WriteOptions<never>, "ifVersion" | "when" | "guard">;

/** What a set, merge or delete of a transaction did. */
export interface TransactionWrite {
  readonly op: "set" | "merge" | "delete";
  readonly key: string;
  /** The key's version after it; 0: absent. */
  readonly version: number;
  readonly etag: string | undefined;
  /** Whether the key existed before. */
  readonly existed: boolean;
}

/** What a get of a transaction found. */
export interface TransactionRead<T> {
  readonly op: "get";
  readonly key: string;
  /** Undefined where there is none. Decoded when it is asked for: that may throw `decode_failed`, long after the transaction is done. */
  readonly value: T | undefined;
  /** 0: absent. */
  readonly version: number;
  readonly etag: string | undefined;
  readonly contentType?: string;
  readonly modifiedAtMs?: number;
  /** What is left of its life; absent: no end. */
  readonly expiresInMs?: number;
  readonly tags?: readonly string[];
  /** Of a repeated op id: the values were too much to keep (64 KiB in all), and nothing is known of this one. Read the key again. */
  readonly omitted?: true;
}

/** What one operation of a transaction did. */
export type TransactionStep = TransactionWrite | TransactionRead<unknown>;

/** How a transaction ended: which branch was taken, and what its operations did, in their order. */
export type TransactionResult<
  Then extends readonly TransactionStep[] = readonly TransactionStep[],
  Else extends readonly TransactionStep[] = readonly TransactionStep[],
> = TransactionDone<true, Then> | TransactionDone<false, Else>;

/** One end of a transaction. */
export interface TransactionDone<Succeeded extends boolean, Steps extends readonly TransactionStep[]> {
  /** Whether all comparisons held. */
  readonly succeeded: Succeeded;
  readonly results: Steps;
  readonly opId: string;
  /** The one version that it gave to all keys that it set or merged; 0: it changed nothing. */
  readonly version: number;
  /** `epoch.revision` of the answer. */
  readonly cursor: string;
  /** This op id had been carried out before: this is its first verdict. */
  readonly replayed: boolean;
  /** As in a `MutationResult`. */
  readonly storage?: "pending";
}

/** Options of `commit`. */
export interface CommitOptions extends MutationOptions {
  /** Comparisons that do not hold are `precondition_failed`, instead of an answer that says so. Not with `otherwise`. Default false. */
  readonly orFail?: boolean;
}

/** Options of `warp.cas`. */
export type CasOptions<T> = Omit<WriteOptions<T>, "ifVersion" | "when" | "replace">;

/** Options of `warp.resolve`. */
export interface ResolveOptions extends CallOptions {
  /** A key of the operation, so that only its shard is asked. Default: every shard of the space. */
  readonly key?: string;
  /** Which operation of a batch that had this one op id, from 0 on. Default: the op id is an operation's own. */
  readonly index?: number;
  /** What was not seen is made definite: it is refused with `op_sealed` should it come late. Default false. */
  readonly seal?: boolean;
  /** Whose op id it is; see `WarpOptions.subject`. */
  readonly subject?: string;
}
