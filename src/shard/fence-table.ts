import { utf8 } from "../runtime/bytes.ts";
import type { Sql } from "../runtime/sql.ts";

/**
 * The highest fence that each key has seen of each lock of another shard. Rows stay for ever, also when the key goes: a holder of old may come back at any
 * time (assumption A4), and what it then writes must be refused.
 */
export class FenceTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** 0: none. */
  highest(key: string, lock: string): number {
    const [row] = this.#sql.all<{ fence: number }>(
      "SELECT fence FROM fences WHERE key = ? AND lock = ?",
      utf8(key),
      lock,
    );
    return row === undefined ? 0 : Number(row.fence);
  }

  /** Remembers a fence that is no lower than {@link highest}; one that is known already costs no row. */
  raise(key: string, lock: string, fence: number, atMs: number): void {
    if (fence <= this.highest(key, lock)) return;
    this.#sql.run(
      "INSERT OR REPLACE INTO fences VALUES (?, ?, ?, ?)",
      utf8(key),
      lock,
      fence,
      Math.floor(atMs),
    );
  }
}
