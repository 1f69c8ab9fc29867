import type { BackingPosition } from "../../backing/backing.ts";
import type { Sql } from "../../runtime/sql.ts";

/** How far the storage behind the shard has come, as far as it has confirmed it. */
export interface Mark {
  /** This shard's number in its space. */
  readonly shard: number;
  /** Its epoch is that of the life of the log in which it was written. */
  readonly position: BackingPosition;
  /** Something before `position` has yet to go there again. Absent: nothing. */
  readonly refill?: Refill;
}

/**
 * - `log`: what the log says behind `position`, with the values that the keys have now.
 * - `keys`: every key after `after` whose version is not beyond `upTo`, or that came from the storage; what else is beyond waits in the outbox.
 */
export type Refill =
  | { readonly from: "log" }
  | { readonly from: "keys"; readonly after?: string; readonly upTo: number };

/** The mark is a row of the shard's facts: it moves in the commit that removes what was confirmed. Absent: the shard has not bound the storage yet. */
export class StorageMark {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  read(): Mark | undefined {
    const [row] = this.#sql.all("SELECT value FROM meta WHERE name = 'storage'");
    return row === undefined ? undefined : (JSON.parse(String(row.value)) as Mark);
  }

  write(mark: Mark): void {
    this.#sql.run("INSERT OR REPLACE INTO meta VALUES ('storage', ?)", JSON.stringify(mark));
  }
}
