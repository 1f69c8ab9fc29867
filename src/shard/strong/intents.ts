import type { Sql } from "../../runtime/sql.ts";

/** An operation of a strong write, as far as a successor must know it. */
export type IntendedOperation = readonly [opId: string, print: string];

/**
 * Strong writes that have told holders to drop their copies and have not committed. A row that is found when an instance starts belongs to a write whose
 * instance is gone: it never commits.
 */
export class Intents {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** `revision`: the first of its log entries, which names it. */
  add(revision: number, atMs: number, operations: readonly IntendedOperation[]): void {
    this.#sql.run(
      "INSERT INTO intents VALUES (?, ?, ?)",
      revision,
      Math.floor(atMs),
      JSON.stringify(operations),
    );
  }

  remove(revision: number): void {
    this.#sql.run("DELETE FROM intents WHERE revision = ?", revision);
  }

  all(): { readonly revision: number; readonly operations: readonly IntendedOperation[] }[] {
    return this.#sql
      .all<{ revision: number; operations: string }>(
        "SELECT revision, operations FROM intents ORDER BY revision",
      )
      .map(({ revision, operations }) => ({ revision, operations: JSON.parse(operations) }));
  }
}
