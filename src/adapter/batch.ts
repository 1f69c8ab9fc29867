import { WarpError } from "../errors.ts";
import { subjectOf } from "../protocol/mutation.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import type { Mutation } from "./adapter.ts";

/** Throws `batch_too_large` for more than 1,000 keys or mutations in one call. */
export function checkBatchSize(count: number): void {
  if (count <= maxBatchOperations) return;
  throw new WarpError("batch_too_large", `a call has ${count} operations; at most ${maxBatchOperations}`, {
    details: { operations: count, max: maxBatchOperations },
  });
}

/** What names a mutation in its answer: its key (the prefix or the tag, for many keys) and its op id. */
export function namedKey(mutation: Mutation | undefined): { readonly key: string; readonly opId: string } {
  if (mutation === undefined) throw new WarpError("internal", "more verdicts than mutations");
  return { key: subjectOf(mutation), opId: mutation.opId };
}
