import { WarpError } from "../errors.ts";
import type { Sql } from "../runtime/sql.ts";
import { createLeaseTables, leaseTables } from "./lease/schema.ts";
import { createLockTables, lockTables } from "./lock/lock-schema.ts";

/** One step of the schema: brings a database from version `i` to `i + 1`, `i` being its place in the list. */
export type Migration = (sql: Sql) => void;

/**
 * All steps, oldest first. A step that has been released is never changed; a new one is added at the end. Steps only go
 * forward: a shard refuses a database that a newer Warp has touched.
 */
export const migrations: readonly Migration[] = [
  (sql) => {
    // WITHOUT ROWID: one row (one billed write) for each put, instead of one for the table and one for its key index.
    // Keys are blobs so that their order is the order of their bytes and any character is safe in them.
    sql.run(
      "CREATE TABLE keys (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL, content_type TEXT NOT NULL, modified_at INTEGER NOT NULL, expires_at INTEGER) WITHOUT ROWID",
    );
    sql.run("CREATE INDEX keys_expiry ON keys (expires_at) WHERE expires_at IS NOT NULL");
    // One entry may share its revision with others (a transaction); `seq` orders them.
    sql.run(
      "CREATE TABLE log (revision INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, version INTEGER NOT NULL, existed INTEGER NOT NULL, at INTEGER NOT NULL, op_id TEXT, fingerprint TEXT, PRIMARY KEY (revision, seq)) WITHOUT ROWID",
    );
    sql.run("CREATE UNIQUE INDEX log_op ON log (op_id) WHERE op_id IS NOT NULL");
    // Verdicts of operations that wrote no log entry: refusals, and deletes of absent keys.
    sql.run(
      "CREATE TABLE verdicts (op_id TEXT PRIMARY KEY, at INTEGER NOT NULL, fingerprint TEXT NOT NULL, verdict TEXT NOT NULL) WITHOUT ROWID",
    );
    sql.run(
      "CREATE TABLE registrations (pattern TEXT PRIMARY KEY, settings TEXT NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID",
    );
  },
  (sql) => {
    // JSON text; null where there are none.
    sql.run("ALTER TABLE keys ADD COLUMN tags TEXT");
    // Superseded versions and deletions, by key; the value stands last, so that what is before it is read without it.
    sql.run(
      "CREATE TABLE history (key BLOB NOT NULL, version INTEGER NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, content_type TEXT, tags TEXT, value BLOB, PRIMARY KEY (key, version)) WITHOUT ROWID",
    );
  },
  (sql) => {
    // Strong writes that have told holders to drop copies and have not committed; JSON of [op id, fingerprint] pairs.
    sql.run(
      "CREATE TABLE intents (revision INTEGER PRIMARY KEY, at INTEGER NOT NULL, operations TEXT NOT NULL)",
    );
  },
  (sql) => {
    // The highest fence that a key has seen of a lock of another shard.
    sql.run(
      "CREATE TABLE fences (key BLOB NOT NULL, lock TEXT NOT NULL, fence INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (key, lock)) WITHOUT ROWID",
    );
  },
  (sql) => {
    createLockTables(sql);
    // From now on revisions are given without entries, so the oldest entry does not tell any more how far others were removed.
    sql.run(
      "INSERT OR REPLACE INTO meta SELECT 'floor', min(revision) - 1 FROM log HAVING min(revision) IS NOT NULL",
    );
  },
  createLeaseTables,
  (sql) => {
    // The value that an entry brought, for those who watch, last in the row: what is before it is read without it. `total` counts the
    // bytes of all values up to and with the entry, whether they are still there or not.
    sql.run("ALTER TABLE log ADD COLUMN total INTEGER NOT NULL DEFAULT 0");
    sql.run("ALTER TABLE log ADD COLUMN content_type TEXT");
    sql.run("ALTER TABLE log ADD COLUMN value BLOB");
    // Subscriptions of sessions that have too many for the attachments of their sockets; JSON.
    sql.run("CREATE TABLE subscriptions (session TEXT PRIMARY KEY, records TEXT NOT NULL) WITHOUT ROWID");
  },
  (sql) => {
    // Ids of tokens for one use that were spent, until they end.
    sql.run("CREATE TABLE spent_tokens (id TEXT PRIMARY KEY, ends_at INTEGER NOT NULL) WITHOUT ROWID");
    sql.run("CREATE INDEX spent_tokens_end ON spent_tokens (ends_at)");
  },
  (sql) => {
    // What the storage behind the shard has yet to hear of; version 0: the key is gone. The value stands last, so that what is before it is read without it.
    sql.run(
      "CREATE TABLE outbox (revision INTEGER NOT NULL, seq INTEGER NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL, version INTEGER NOT NULL, expires_at INTEGER, content_type TEXT, tags TEXT, value BLOB, PRIMARY KEY (revision, seq)) WITHOUT ROWID",
    );
  },
  (sql) => {
    // Of keys whose value is in the storage behind the shard only: its size (`value` is empty then); null: it is here.
    sql.run("ALTER TABLE keys ADD COLUMN away INTEGER");
    // What the storage has for a key that was adopted, as `sourceOf` tells it; null: what this shard told it, under the key's version.
    sql.run("ALTER TABLE keys ADD COLUMN source TEXT");
    // The revision at which the storage was last seen to have it so; null: never asked; -1: it is to be asked.
    sql.run("ALTER TABLE keys ADD COLUMN checked INTEGER");
    // Invalidations of many keys, after which the storage is to be asked about each of them.
    sql.run(
      "CREATE TABLE invalidated (kind TEXT NOT NULL, subject TEXT NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (kind, subject)) WITHOUT ROWID",
    );
    // Deletions that the storage has yet to hear of.
    sql.run("CREATE INDEX outbox_ended ON outbox (key) WHERE version = 0");
  },
];

/** The schema version of a database; 0 where nothing was ever written. Reads only. */
export function schemaVersion(sql: Sql): number {
  if (sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").length === 0) return 0;
  const [row] = sql.all<{ value: number }>("SELECT value FROM meta WHERE name = 'schema'");
  return row === undefined ? 0 : Number(row.value);
}

/**
 * Brings a database up to `steps`, all of it or nothing. Throws `unavailable` where the database is newer than the code: an
 * older Warp must not write what it does not understand.
 */
export function migrate(sql: Sql, steps: readonly Migration[] = migrations): void {
  const from = schemaVersion(sql);
  if (from === steps.length) return;
  if (from > steps.length) {
    throw new WarpError(
      "unavailable",
      `this shard's storage has schema ${from}; this Warp knows ${steps.length}: deploy the newer Warp again`,
      { retryable: false },
    );
  }
  sql.transaction(() => {
    sql.run("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID");
    for (const step of steps.slice(from)) step(sql);
    sql.run("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", steps.length);
  });
}

/** Removes everything, so that the database is as before its first write. */
export function dropAll(sql: Sql): void {
  sql.transaction(() => {
    for (const table of [
      "keys",
      "history",
      "log",
      "verdicts",
      "registrations",
      "intents",
      "fences",
      "subscriptions",
      "spent_tokens",
      "relays",
      "outbox",
      ...lockTables,
      "invalidated",
      ...leaseTables,
      "meta",
    ]) {
      sql.run(`DROP TABLE IF EXISTS ${table}`);
    }
  });
}
