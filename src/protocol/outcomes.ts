import { WarpError } from "../errors.ts";
import { maxBatchOperations, maxKeptResultBytes } from "../runtime/limits.ts";
import type { LeaseVerdict } from "./lease.ts";
import type { LockVerdict } from "./lock.ts";
import { checkOpId } from "./mutation.ts";
import type { Verdict } from "./operation.ts";
import type { Resolution } from "./shard-api.ts";
import type { TransactionVerdict } from "./transaction.ts";

/** How an operation of any kind ended. */
export type Outcome = Verdict | TransactionVerdict | LockVerdict | LeaseVerdict;

/** What a storage remembers under an op id. */
export interface KnownOutcome {
  /** What tells its operation from another: see `mutationPrint`, `transactionPrint`. */
  readonly print: string;
  readonly verdict: Outcome;
  /** It is one shard's part of an invalidation of many keys. */
  readonly part?: boolean;
}

/** The print of an op id that was sealed: no operation has it. */
const sealedPrint = "sealed";

/** What is remembered under an op id that was sealed (rule OU3). */
export const sealedOutcome: KnownOutcome = {
  print: sealedPrint,
  verdict: {
    outcome: "fail",
    error: new WarpError(
      "op_sealed",
      "the outcome of this op id was settled as not done before this copy of it arrived",
    ).toData(),
  },
};

/** The answer to an op id that is known (rule OU2): its verdict again, or `op_id_reused` where that was another operation's. */
export function replayOf<V extends Outcome>(known: KnownOutcome, print: string): V {
  if (known.print === print || known.print === sealedPrint) return { ...known.verdict, replayed: true } as V;
  return {
    outcome: "fail",
    error: new WarpError(
      "op_id_reused",
      "this op id was used for a different operation; make a new one for each operation",
    ).toData(),
  } as V;
}

/** Throws `batch_too_large` for more than 1,000 op ids. */
export function checkResolveCount(count: number): void {
  if (count <= maxBatchOperations) return;
  throw new WarpError("batch_too_large", `a call has ${count} op ids; at most ${maxBatchOperations}`, {
    details: { operations: count, max: maxBatchOperations },
  });
}

/**
 * What became of an operation. Throws `invalid_op_id`, and `op_id_expired` for one that is not known and so old that it may have been
 * forgotten.
 */
export function resolutionOf(opId: string, known: KnownOutcome | undefined, nowMs: number): Resolution {
  if (known === undefined) {
    const wrong = checkOpId(opId, nowMs);
    if (wrong !== undefined) throw wrong;
    return { state: "unseen" };
  }
  if (known.print === sealedPrint) return { state: "sealed" };
  const { verdict, part } = known;
  if (verdict.outcome === "fail") return { state: "fail", error: verdict.error };
  if ("state" in verdict) return ofLock(verdict);
  // A command about a lease has neither: it changes no key.
  const revision = "revision" in verdict ? verdict.revision : 0;
  const version = "version" in verdict ? verdict.version : revision;
  return { state: "ok", version, revision, ...(part === true && { part }) };
}

/** A lock command's revision is its fence; what has none has 0. */
function ofLock(verdict: Extract<LockVerdict, { outcome: "ok" }>): Resolution {
  const revision = "fence" in verdict ? verdict.fence : 0;
  return { state: "ok", version: revision, revision };
}

/** A transaction's verdict as it is kept: without the entries that it got where they are too much. */
export function keptVerdict(verdict: TransactionVerdict): TransactionVerdict {
  if (verdict.outcome === "fail") return verdict;
  const bytes = verdict.results.reduce(
    (total, result) => total + (result.kind === "get" ? (result.entry?.payload.bytes.length ?? 0) : 0),
    0,
  );
  if (bytes <= maxKeptResultBytes) return verdict;
  const results = verdict.results.map((result) =>
    result.kind === "get" ? { ...result, entry: null, omitted: true as const } : result,
  );
  return { ...verdict, results };
}
