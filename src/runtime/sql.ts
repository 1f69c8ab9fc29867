/**
 * The slice of SQLite that the shard's logic needs: satisfied by a Durable Object's `ctx.storage` and by Node's
 * `node:sqlite` (see `platform/`), so that one suite runs on both.
 */

/** What SQLite takes and gives. Blobs come back as `Uint8Array` or `ArrayBuffer`, depending on the host. */
export type SqlValue = string | number | null | Uint8Array | ArrayBuffer;

/** One row, by column name. */
export type SqlRow = Record<string, SqlValue>;

/** A synchronous SQL database with nestable transactions. */
export interface Sql {
  /** Runs one statement with positional bindings (at most 100) and gives all its rows. */
  all<Row extends SqlRow = SqlRow>(query: string, ...bindings: SqlValue[]): Row[];
  /** Runs one statement for its effect. */
  run(query: string, ...bindings: SqlValue[]): void;
  /** Runs `work` atomically: if it throws, everything it wrote is undone and the error goes on. May be nested. */
  transaction<T>(work: () => T): T;
}

/** A blob column's value as bytes. */
export function blob(value: SqlValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError("expected a blob column");
}
