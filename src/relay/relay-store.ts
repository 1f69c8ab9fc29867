import type { Sql } from "../runtime/sql.ts";

/** Whose relay an object is. */
export interface RelayIdentity {
  readonly space: string;
  readonly shard: number;
  readonly relay: number;
}

/** What a relay keeps beside its sockets: whose it is, and subscriptions that an attachment has no room for. */
export class RelayStore {
  readonly #sql: Sql;
  #identity: RelayIdentity | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
    if (sql.all("SELECT 1 FROM sqlite_master WHERE name = 'relay'").length === 0) return;
    [this.#identity] = sql.all<{ space: string; shard: number; relay: number }>("SELECT * FROM relay");
  }

  /** Undefined: nobody has come here yet. */
  get identity(): RelayIdentity | undefined {
    return this.#identity;
  }

  /** Notes it the first time. */
  begin(identity: RelayIdentity): void {
    if (this.#identity !== undefined) return;
    const { space, shard, relay } = identity;
    this.#sql.transaction(() => {
      this.#sql.run(
        "CREATE TABLE relay (space TEXT NOT NULL, shard INTEGER NOT NULL, relay INTEGER NOT NULL)",
      );
      this.#sql.run(
        "CREATE TABLE subscriptions (session TEXT PRIMARY KEY, records TEXT NOT NULL) WITHOUT ROWID",
      );
      this.#sql.run("INSERT INTO relay VALUES (?, ?, ?)", space, shard, relay);
    });
    this.#identity = identity;
  }
}
