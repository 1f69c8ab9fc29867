import type { RelayPosition } from "../../protocol/relay.ts";
import type { Sql } from "../../runtime/sql.ts";

/** What must be known of a relay by the next instance. */
export interface RelayRecord {
  readonly relay: number;
  /** Of its object. */
  readonly name: string;
  /** How far it was known to be; absent: not at all. */
  readonly at?: RelayPosition;
  readonly turn: string;
  /** How many sessions it had, about. */
  readonly sessions: number;
}

/**
 * The relays of a shard: one row for all, since they are noted together. It is no part of the shard's schema: a shard may have watchers before it belongs to a
 * space, and the first write must find their relays.
 */
export class RelayTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  load(): readonly RelayRecord[] {
    if (this.#sql.all("SELECT 1 FROM sqlite_master WHERE name = 'relays'").length === 0) return [];
    const [row] = this.#sql.all<{ records: string }>("SELECT records FROM relays");
    return row === undefined ? [] : JSON.parse(row.records);
  }

  save(records: readonly RelayRecord[]): void {
    this.#sql.run("CREATE TABLE IF NOT EXISTS relays (one INTEGER PRIMARY KEY, records TEXT NOT NULL)");
    this.#sql.run("INSERT OR REPLACE INTO relays VALUES (1, ?)", JSON.stringify(records));
  }
}
