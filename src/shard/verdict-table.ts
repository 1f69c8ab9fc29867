import type { KnownOutcome, Outcome } from "../protocol/outcomes.ts";
import { fromBase64, toBase64 } from "../runtime/bytes.ts";
import type { Sql } from "../runtime/sql.ts";

/**
 * Verdicts of operations whose log entries don't tell them (refusals, deletes of absent keys, transactions, sealed op ids), so that the same op id gets
 * the same answer. The verdict of a mutation that changed something stands in its log row and costs no row of its own.
 */
export class VerdictTable {
  readonly #sql: Sql;
  #oldestAtMs: number | undefined;

  /** `before`: the one that this takes the place of. Its oldest is taken over, since to look for it is to read all; it may be a little too old. */
  constructor(sql: Sql, before?: VerdictTable) {
    this.#sql = sql;
    if (before === undefined) this.#measure();
    else this.#oldestAtMs = before.#oldestAtMs;
  }

  /** The time of the oldest; undefined: there is none. */
  get oldestAtMs(): number | undefined {
    return this.#oldestAtMs;
  }

  /** What became of an operation: from its log entry, else from here. One statement, since each mutation asks. */
  find(opId: string): KnownOutcome | undefined {
    const [row] = this.#sql.all<{
      fingerprint: string;
      verdict: string | null;
      revision: number;
      version: number;
      existed: number;
      kind: string;
    }>(
      "SELECT fingerprint, NULL AS verdict, revision, version, existed, kind FROM log WHERE op_id = ?1 UNION ALL SELECT fingerprint, verdict, 0, 0, 0, '' FROM verdicts WHERE op_id = ?1 LIMIT 1",
      opId,
    );
    if (row === undefined) return undefined;
    const { fingerprint: print, verdict, revision, version, existed, kind } = row;
    if (verdict !== null) return { print, verdict: JSON.parse(verdict, bytesAgain) as Outcome };
    const part = kind === "invalidatePrefix" || kind === "invalidateTag" || kind === "publishPrefix";
    return { print, verdict: { outcome: "ok", revision, version, existed: existed === 1 }, part };
  }

  keep(opId: string, atMs: number, { print, verdict }: KnownOutcome): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO verdicts VALUES (?, ?, ?, ?)",
      opId,
      Math.floor(atMs),
      print,
      JSON.stringify(verdict, bytesAsText),
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

function bytesAsText(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { $bytes: toBase64(value) } : value;
}

function bytesAgain(_name: string, value: unknown): unknown {
  const text = typeof value === "object" && value !== null && "$bytes" in value ? value.$bytes : undefined;
  return typeof text === "string" ? fromBase64(text) : value;
}
