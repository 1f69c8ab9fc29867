import type { Comparison, Transaction, TransactionOperation } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import type { Codec } from "../runtime/codec.ts";
import { type Draft, toMutation, type Wish } from "./draft.ts";

/** A change as its caller wants it. */
export interface PlannedWrite {
  readonly wish: Extract<Wish, { kind: "set" | "merge" | "delete" }>;
  readonly ifVersion: number | undefined;
}

/** A read as its caller wants it. */
export interface PlannedRead {
  readonly get: string;
  readonly codec: Codec<unknown>;
}

export type PlannedOperation = PlannedWrite | PlannedRead;

/** A transaction as its caller wants it. */
export interface Plan {
  readonly compare: readonly Comparison[];
  readonly success: readonly PlannedOperation[];
  readonly failure: readonly PlannedOperation[];
}

type Change = Extract<Draft["mutation"], { kind: "set" | "merge" | "delete" }>;

/** An operation about to be sent: a read, or a change and what the node has to do with its answer. */
export type Drafted = PlannedRead | { readonly draft: Draft & { readonly mutation: Change } };

/** The mutation of a planned change. Throws what is wrong with it. `scopedOpId`: see `scopeOpId`. */
export function changeOf(wish: PlannedWrite["wish"], scopedOpId: string): Change {
  const mutation = toMutation(wish, scopedOpId);
  if (mutation.kind === "set" || mutation.kind === "merge" || mutation.kind === "delete") return mutation;
  throw new WarpError("internal", "a transaction has sets, merges, deletes and gets only");
}

/** A plan as it would go out, but for the conditions of `ifVersion`. */
export function transactionOf({ compare, success, failure }: Plan, opId: string): Transaction {
  const operation = (one: PlannedOperation): TransactionOperation =>
    "get" in one ? { kind: "get", key: one.get } : withoutOpId(changeOf(one.wish, opId));
  return { opId, compare, success: success.map(operation), failure: failure.map(operation) };
}

/** What goes out of a drafted operation: the op id is the transaction's. */
export function operationOf(drafted: Drafted): TransactionOperation {
  return "get" in drafted ? { kind: "get", key: drafted.get } : withoutOpId(drafted.draft.mutation);
}

/** The key that a drafted operation is about. */
export function keyOf(drafted: Drafted): string {
  return "get" in drafted ? drafted.get : drafted.draft.mutation.key;
}

function withoutOpId({ opId: _opId, ...operation }: Change): TransactionOperation {
  return operation;
}
