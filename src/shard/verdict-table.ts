import type { Verdict } from "../protocol/shard-api.ts";
import type { Sql } from "../runtime/sql.ts";

/**
 * Verdicts of operations that left no log entry (refusals, deletes of absent keys), so that the same op id gets the same answer. The verdict
 * of an operation that changed something stands in its log row and costs no row of its own.
 */
export class VerdictTable {
  readonly #sql: Sql;
  #oldestAtMs: number | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#measure();
  }

  /** The time of the oldest; undefined: there is none. */
  get oldestAtMs(): number | undefined {
    return this.#oldestAtMs;
  }

  /** What became of an operation: from its log entry, else from here. One statement, since each mutation asks. */
  find(opId: string): { readonly fingerprint: string; readonly verdict: Verdict } | undefined {
    const [row] = this.#sql.all<{
      fingerprint: string;
      verdict: string | null;
      revision: number;
      version: number;
      existed: number;
    }>(
      "SELECT fingerprint, NULL AS verdict, revision, version, existed FROM log WHERE op_id = ?1 UNION ALL SELECT fingerprint, verdict, 0, 0, 0 FROM verdicts WHERE op_id = ?1 LIMIT 1",
      opId,
    );
    if (row === undefined) return undefined;
    const { fingerprint, verdict, revision, version, existed } = row;
    if (verdict !== null) return { fingerprint, verdict: JSON.parse(verdict) as Verdict };
    return { fingerprint, verdict: { outcome: "ok", revision, version, existed: existed === 1 } };
  }

  keep(opId: string, atMs: number, fingerprint: string, verdict: Verdict): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)",
      opId,
      Math.floor(atMs),
      fingerprint,
      JSON.stringify(verdict),
    );
    this.#oldestAtMs ??= Math.floor(atMs);
  }

  /** Removes those from before `beforeMs`. */
  trim(beforeMs: number): void {
    this.#sql.run("DELETE FROM verdicts WHERE at < ?", Math.floor(beforeMs));
    this.#measure();
  }

  #measure(): void {
    const [row] = this.#sql.all<{ at: number | null }>("SELECT min(at) AS at FROM verdicts");
    this.#oldestAtMs = row?.at ?? undefined;
  }
}
