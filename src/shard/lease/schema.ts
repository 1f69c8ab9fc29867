import type { Sql } from "../../runtime/sql.ts";

/** What leases keep. */
export const leaseTables = ["leases", "lease_members", "lease_keys", "lease_joins", "lease_ends"] as const;

/** A step of the schema. */
export function createLeaseTables(sql: Sql): void {
  // Leases whose home this shard is; `ended_at`: the end is being carried out, `ended_by`: by this operation.
  sql.run(
    "CREATE TABLE leases (id TEXT PRIMARY KEY, ttl_ms INTEGER NOT NULL, on_end TEXT NOT NULL, granted_at INTEGER NOT NULL, deadline INTEGER NOT NULL, life_until INTEGER, ended_at INTEGER, ended_by TEXT) WITHOUT ROWID",
  );
  sql.run("CREATE INDEX leases_deadline ON leases (deadline) WHERE ended_at IS NULL");
  sql.run("CREATE INDEX leases_ended ON leases (ended_at) WHERE ended_at IS NOT NULL");
  // Shards that may have keys of them.
  sql.run(
    "CREATE TABLE lease_members (id TEXT NOT NULL, shard INTEGER NOT NULL, PRIMARY KEY (id, shard)) WITHOUT ROWID",
  );
  // Keys of this shard that leases have, whose home may be another. No index by key: nobody asks for the leases of a key.
  sql.run(
    "CREATE TABLE lease_keys (lease TEXT NOT NULL, key BLOB NOT NULL, PRIMARY KEY (lease, key)) WITHOUT ROWID",
  );
  // Leases of other shards whose homes know of this one, and those that ended not long ago.
  sql.run("CREATE TABLE lease_joins (id TEXT PRIMARY KEY) WITHOUT ROWID");
  sql.run("CREATE TABLE lease_ends (id TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID");
  sql.run("CREATE INDEX lease_ends_at ON lease_ends (at)");
}
