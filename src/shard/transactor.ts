import { WarpError } from "../errors.ts";
import { keptVerdict, replayOf } from "../protocol/outcomes.ts";
import type { Transaction, TransactionVerdict } from "../protocol/transaction.ts";
import { carryOutSteps, planTransaction, type TransactionPlan } from "../protocol/transaction-plan.ts";
import { checkTransaction, transactionPrint } from "../protocol/transaction-rules.ts";
import type { ChangeLog } from "./change-log.ts";
import type { KeyState } from "./key-table.ts";
import { type StateParts, StateView } from "./state-view.ts";
import type { VerdictTable } from "./verdict-table.ts";

/** What a transactor works on. */
export interface TransactorParts extends StateParts {
  readonly log: ChangeLog;
  readonly verdicts: VerdictTable;
}

/** What a transaction would do: end with a verdict without changing anything, or change these keys. */
export type TransactionPreview =
  | { readonly verdict: TransactionVerdict }
  | { readonly keys: readonly string[] };

type Refused = Extract<TransactionVerdict, { outcome: "fail" }>;

/**
 * Carries out transactions inside the commit of their caller (rule TX1): every operation is planned before the first is carried out, so
 * that a refusal leaves nothing behind; then all take effect at one revision. The verdict is kept under the op id.
 */
export class Transactor {
  readonly #parts: TransactorParts;

  constructor(parts: TransactorParts) {
    this.#parts = parts;
  }

  apply(transaction: Transaction, nowMs: number): TransactionVerdict {
    const { changes, log, verdicts } = this.#parts;
    const known = this.#known(transaction, nowMs);
    if ("verdict" in known) return known.verdict;
    const view = new StateView(this.#parts, nowMs, true);
    const planned = this.#plan(transaction, view);
    const verdict =
      "outcome" in planned
        ? planned
        : log.together(() => carryOutSteps(planned, view, (plan) => changes.carryOut(plan, { atMs: nowMs })));
    verdicts.keep(transaction.opId, nowMs, { print: known.print, verdict: keptVerdict(verdict) });
    return verdict;
  }

  /** Judges a transaction on the present state and writes nothing. */
  preview(transaction: Transaction, nowMs: number): TransactionPreview {
    const known = this.#known(transaction, nowMs);
    if ("verdict" in known) return known;
    const view = new StateView(this.#parts, nowMs, false);
    const planned = this.#plan(transaction, view);
    if ("outcome" in planned) return { verdict: planned };
    if (!planned.changes) return { verdict: carryOutSteps(planned, view, () => 0) };
    return {
      keys: planned.steps.flatMap((step) =>
        step.kind === "get" || step.plan.act === "nothing" ? [] : [step.key],
      ),
    };
  }

  /** The verdict of what is malformed or was seen before, else its print. */
  #known(
    transaction: Transaction,
    nowMs: number,
  ): { readonly verdict: TransactionVerdict } | { readonly print: string } {
    const refused = checkTransaction(transaction, nowMs, this.#parts.maxValueBytes);
    if (refused !== undefined) return { verdict: { outcome: "fail", error: refused.toData() } };
    const print = transactionPrint(transaction);
    const known = this.#parts.verdicts.find(transaction.opId);
    return known === undefined ? { print } : { verdict: replayOf<TransactionVerdict>(known, print) };
  }

  #plan(transaction: Transaction, view: StateView): TransactionPlan<KeyState> | Refused {
    try {
      return planTransaction(transaction, view);
    } catch (error) {
      if (error instanceof WarpError) return { outcome: "fail", error: error.toData() };
      throw error;
    }
  }
}
