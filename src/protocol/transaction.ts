import type { ErrorData } from "../errors.ts";
import type { Mutation, Precondition } from "./operation.ts";
import type { Payload } from "./payload.ts";
import type { StoredEntry } from "./stored.ts";

/** One condition of a transaction on a key, judged at the shard on committed state (rule TX2). */
export type KeyComparison = { readonly key: string } & (
  | { readonly version: number; readonly is?: "equal" | "notEqual" | "less" | "greater" }
  | { readonly exists: boolean }
  | { readonly value: Payload["bytes"] }
  | { readonly when: Precondition }
);

/** The lock of this name is held under this fence. The name takes part in the choice of the shard as a key does, but is none. */
export interface LockComparison {
  readonly key: string;
  readonly fence: number;
}

/** One condition of a transaction. */
export type Comparison = KeyComparison | LockComparison;

/** A part of a mutation that stands in a transaction: the op id is the transaction's. */
type Part<Kind extends Mutation["kind"]> = Omit<Extract<Mutation, { kind: Kind }>, "opId">;

/**
 * One operation of a transaction. A `when` that does not hold fails the transaction as a whole (`precondition_failed`): that is the
 * compare-and-set of one key.
 */
export type TransactionOperation =
  | Part<"set">
  | Part<"merge">
  | Part<"delete">
  | { readonly kind: "get"; readonly key: string };

/**
 * All or nothing at one revision (rule TX1): if every comparison holds, `success` is carried out, else `failure`. All keys lie in one
 * shard (`cross_shard`); a key is written at most once in each branch (`duplicate_key`).
 */
export interface Transaction {
  /** Scoped to its subject, see `scopeOpId`. */
  readonly opId: string;
  readonly compare: readonly Comparison[];
  readonly success: readonly TransactionOperation[];
  readonly failure: readonly TransactionOperation[];
}

/** What one operation of the branch that was taken did, in its place. */
export type OperationResult =
  | {
      readonly kind: "get";
      readonly key: string;
      /** As it is after the operations before it; null: absent. */
      readonly entry: StoredEntry | null;
      /** A replayed verdict that does not know the entry any more: read the key again. */
      readonly omitted?: true;
    }
  | {
      readonly kind: "set" | "merge" | "delete";
      readonly key: string;
      /** The key's version after it; 0: absent. */
      readonly version: number;
      readonly existed: boolean;
      /** What is stored now is what a merge rule made, not what was sent. */
      readonly merged?: true;
    };

/** How a transaction ended. `revision` 0: it changed nothing. */
export type TransactionVerdict =
  | {
      readonly outcome: "ok";
      /** Whether all comparisons held: which branch was taken. */
      readonly succeeded: boolean;
      readonly revision: number;
      /** In the order of the branch. A replayed verdict leaves out the entries of `get` where they are too much to keep. */
      readonly results: readonly OperationResult[];
      readonly replayed?: true;
      /** As in a `Verdict`. */
      readonly storage?: "pending";
    }
  | { readonly outcome: "fail"; readonly error: ErrorData; readonly replayed?: true };
