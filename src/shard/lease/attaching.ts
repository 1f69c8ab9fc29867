import type { WarpError } from "../../errors.ts";
import { writes } from "../../protocol/mutation.ts";
import type { Mutation } from "../../protocol/operation.ts";
import type { Refusal } from "../../protocol/shard-api.ts";
import type { Transaction } from "../../protocol/transaction.ts";
import type { Ledger } from "../ledger.ts";
import { refuse } from "../refusal.ts";

/** An operation that attaches its key to a lease. */
export interface Attaching {
  readonly opId: string;
  readonly lease: string;
}

/** Those of some mutations. */
export function attachingIn(mutations: readonly Mutation[]): Attaching[] {
  return mutations.flatMap((mutation) =>
    writes(mutation) && mutation.lease !== undefined ? [{ opId: mutation.opId, lease: mutation.lease }] : [],
  );
}

/** Those of a transaction, whichever branch is taken. */
export function attachingOf({ opId, success, failure }: Transaction): Attaching[] {
  return [...success, ...failure].flatMap((operation) =>
    (operation.kind === "set" || operation.kind === "merge") && operation.lease !== undefined
      ? [{ opId, lease: operation.lease }]
      : [],
  );
}

/**
 * The refusal of a request with a lease whose home could not be asked; undefined: none. What was done before under its op id, or is being done, is to be told all the
 * same.
 */
export function refuseUnasked(
  attaching: readonly Attaching[],
  unasked: ReadonlyMap<string, WarpError>,
  ledger: Ledger,
  isPending: (opId: string) => boolean,
): Refusal | undefined {
  if (unasked.size === 0) return undefined;
  for (const { opId, lease } of attaching) {
    const error = unasked.get(lease);
    if (error !== undefined && !ledger.knows(opId) && !isPending(opId)) return refuse(error);
  }
  return undefined;
}
