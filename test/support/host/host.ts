import type { Sql } from "../../../src/runtime/sql.ts";

/** What a portable suite takes from the runtime it runs in, as `#host`. */
export interface Host {
  readonly name: "node" | "workerd";
  /** Runs `work` on a fresh, empty SQLite database of this runtime. */
  withSql<T>(work: (sql: Sql) => Promise<T> | T): Promise<T>;
}
