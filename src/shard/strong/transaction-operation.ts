import type { ErrorData } from "../../errors.ts";
import type { Transaction, TransactionVerdict } from "../../protocol/transaction.ts";
import { isOfKey, transactionPrint } from "../../protocol/transaction-rules.ts";
import type { Ledger } from "../ledger.ts";
import { nothing, type Operation, type Touch } from "./operation.ts";

/** A whole transaction: one operation with many keys (rule TX3). */
export class TransactionOperation implements Operation<TransactionVerdict> {
  readonly #transaction: Transaction;

  constructor(transaction: Transaction) {
    this.#transaction = transaction;
  }

  get opId(): string {
    return this.#transaction.opId;
  }

  get asked() {
    return { transaction: this.#transaction };
  }

  /**
   * Keys that are compared must not change either, else the other branch could be taken at the commit. Locks may: they never wait for a write, so what
   * is said of them is judged again at the commit.
   */
  get claims(): readonly string[] {
    return [...this.#transaction.compare.filter(isOfKey).map(({ key }) => key), ...this.reach.keys];
  }

  /** What either branch writes. */
  get reach(): Touch {
    const { success, failure } = this.#transaction;
    const written = [...success, ...failure].filter(({ kind }) => kind !== "get");
    return { ...nothing, keys: [...new Set(written.map(({ key }) => key))] };
  }

  print(): string {
    return transactionPrint(this.#transaction);
  }

  apply(ledger: Ledger, nowMs: number): TransactionVerdict {
    return ledger.transactor.apply(this.#transaction, nowMs);
  }

  touched(verdict: TransactionVerdict): Touch {
    if (verdict.outcome === "fail" || verdict.replayed || verdict.revision === 0) return nothing;
    const changed = verdict.results.filter(
      (result) => result.kind !== "get" && (result.version > 0 || result.existed),
    );
    return { ...nothing, keys: changed.map(({ key }) => key) };
  }

  refused(error: ErrorData): TransactionVerdict {
    return { outcome: "fail", error };
  }
}
