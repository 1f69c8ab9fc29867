import type { Sql } from "../../runtime/sql.ts";

/**
 * The tables of locks. A grant is one row from its beginning to long after its end, found by its fence; all else is found by partial indices, which ended grants leave, so
 * that an acquisition that nobody disturbs costs three rows. Names and owners are blobs: their order is that of their bytes, and any character is safe in them.
 */
export function createLockTables(sql: Sql): void {
  sql.run(
    "CREATE TABLE locks (fence INTEGER PRIMARY KEY, name BLOB NOT NULL, owner BLOB NOT NULL, kind TEXT NOT NULL, permits INTEGER NOT NULL, take INTEGER NOT NULL, count INTEGER NOT NULL, ttl INTEGER NOT NULL, deadline INTEGER NOT NULL, ticket TEXT, offered INTEGER NOT NULL, delay INTEGER NOT NULL, value BLOB, value_type TEXT, session TEXT, ends_with_session INTEGER NOT NULL, ended_at INTEGER, reason TEXT, forced_by BLOB, forced_fence INTEGER)",
  );
  // With all that `usage` adds up, so that it need not look at the rows.
  sql.run("CREATE INDEX locks_live ON locks (name, fence, kind, permits, take) WHERE ended_at IS NULL");
  sql.run("CREATE INDEX locks_due ON locks (deadline) WHERE ended_at IS NULL");
  sql.run("CREATE INDEX locks_session ON locks (session) WHERE session IS NOT NULL AND ended_at IS NULL");
  sql.run("CREATE INDEX locks_ticket ON locks (ticket) WHERE ticket IS NOT NULL");
  // Forced ends are kept so much longer that they would stand before all others.
  sql.run("CREATE INDEX locks_ended ON locks (ended_at) WHERE ended_at IS NOT NULL AND reason <> 'forced'");
  sql.run("CREATE INDEX locks_forced ON locks (ended_at) WHERE reason = 'forced'");
  sql.run("CREATE INDEX locks_forced_name ON locks (name) WHERE reason = 'forced'");
  sql.run(
    "CREATE TABLE lock_waiters (arrived INTEGER PRIMARY KEY, ticket TEXT NOT NULL UNIQUE, name BLOB NOT NULL, owner BLOB NOT NULL, kind TEXT NOT NULL, permits INTEGER NOT NULL, take INTEGER NOT NULL, ttl INTEGER NOT NULL, delay INTEGER NOT NULL, value BLOB, value_type TEXT, session TEXT, ends_with_session INTEGER NOT NULL, live_until INTEGER NOT NULL, wait_until INTEGER NOT NULL, due INTEGER NOT NULL)",
  );
  sql.run("CREATE INDEX lock_waiters_name ON lock_waiters (name, arrived)");
  sql.run("CREATE INDEX lock_waiters_due ON lock_waiters (due)");
  sql.run("CREATE INDEX lock_waiters_session ON lock_waiters (session) WHERE session IS NOT NULL");
  sql.run("CREATE TABLE lock_delays (name BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID");
  sql.run("CREATE INDEX lock_delays_until ON lock_delays (until)");
  sql.run(
    "CREATE TABLE lock_steps (name BLOB NOT NULL, revision INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, owner BLOB NOT NULL, fence INTEGER NOT NULL, value BLOB, value_type TEXT, reason TEXT, PRIMARY KEY (name, revision)) WITHOUT ROWID",
  );
}

/** What {@link createLockTables} makes. */
export const lockTables = ["locks", "lock_waiters", "lock_delays", "lock_steps"] as const;
