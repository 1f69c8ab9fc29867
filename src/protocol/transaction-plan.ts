import { WarpError } from "../errors.ts";
import { maxReplyBytes } from "../runtime/limits.ts";
import {
  checkRegistered,
  type Plan,
  type PlanView,
  type PresentKey,
  planMutation,
  verdictOf,
} from "./plan.ts";
import type { OperationResult, Transaction, TransactionVerdict } from "./transaction.ts";
import { asMutation, comparisonHolds, isOfKey, transactionKeys, within } from "./transaction-rules.ts";

/** One operation of the branch that is taken. */
export type Step<P extends PresentKey> =
  | { readonly kind: "get"; readonly key: string }
  | {
      readonly kind: "set" | "merge" | "delete";
      readonly key: string;
      readonly plan: Plan<P>;
    };

/** What a transaction will do, made without doing it. */
export interface TransactionPlan<P extends PresentKey> {
  /** Whether all comparisons hold. */
  readonly succeeded: boolean;
  readonly steps: readonly Step<P>[];
  /** Whether any key is changed. */
  readonly changes: boolean;
}

/**
 * Judges all comparisons (rule TX2), then every operation of the branch, before any is carried out. Throws what stands against the
 * transaction: nothing of it is done then (rule TX1).
 */
export function planTransaction<P extends PresentKey>(
  transaction: Transaction,
  view: PlanView<P>,
): TransactionPlan<P> {
  for (const key of transactionKeys(transaction)) checkRegistered(view, view.settings(key));
  const succeeded = transaction.compare.every((comparison) =>
    isOfKey(comparison)
      ? comparisonHolds(
          comparison,
          view.present(comparison.key),
          (key) => view.entry(key)?.payload.bytes,
          view.epoch,
        )
      : view.isHeld(comparison.key, comparison.fence),
  );
  const branch = succeeded ? "success" : "failure";
  const steps = transaction[branch].map((operation, index): Step<P> => {
    const { kind, key } = operation;
    if (kind === "get") return { kind, key };
    try {
      return { kind, key, plan: planMutation(asMutation(operation, transaction.opId), view) };
    } catch (error) {
      throw error instanceof WarpError ? within(error, `${branch}[${index}]`) : error;
    }
  });
  checkReply(steps, view);
  const changes = steps.some((step) => step.kind !== "get" && step.plan.act !== "nothing");
  return { succeeded, steps, changes };
}

/**
 * Carries out the steps in their order. `act` carries out one plan and gives its revision, the same one for all; a `get` sees what stands
 * before it.
 */
export function carryOutSteps<P extends PresentKey>(
  { succeeded, steps }: TransactionPlan<P>,
  view: PlanView<P>,
  act: (plan: Plan<P>) => number,
): TransactionVerdict {
  let revision = 0;
  const results = steps.map((step): OperationResult => {
    const { kind, key } = step;
    if (kind === "get") return { kind, key, entry: view.entry(key) ?? null };
    const done = verdictOf(step.plan, act(step.plan));
    if (done.revision > 0) revision = done.revision;
    const { version, existed, merged } = done;
    return { kind, key, version, existed, ...(merged && { merged }) };
  });
  return { outcome: "ok", succeeded, revision, results };
}

/** Throws `body_too_large` where the values that the branch gets are more than one answer carries. */
function checkReply<P extends PresentKey>(steps: readonly Step<P>[], view: PlanView<P>): void {
  const written = new Map<string, number>();
  let bytes = 0;
  for (const step of steps) {
    if (step.kind === "get") {
      bytes += written.get(step.key) ?? view.present(step.key)?.sizeBytes ?? 0;
    } else {
      written.set(step.key, step.plan.act === "put" ? step.plan.value.payload.bytes.length : 0);
    }
  }
  if (bytes <= maxReplyBytes) return;
  throw new WarpError("body_too_large", `a transaction gets at most ${maxReplyBytes} bytes of values`, {
    details: { bytes, max: maxReplyBytes },
  });
}
