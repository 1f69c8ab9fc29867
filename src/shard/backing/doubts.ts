import type { Sql, SqlRow } from "../../runtime/sql.ts";

/** Invalidations of many keys that are told apart; with more, they count as one of all keys. */
const maxDoubts = 64;

interface Doubt {
  readonly kind: "invalidatePrefix" | "invalidateTag";
  readonly subject: string;
  readonly revision: number;
}

/**
 * Invalidations of prefixes and tags: what the shard has under them is to be held against the storage when it is next read. One row each, whatever number of keys it concerns: a
 * key is doubted as long as it was neither written nor looked at since.
 */
export class Doubts {
  readonly #sql: Sql;
  #known: Doubt[] | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Takes them from the database again. */
  reload(): void {
    this.#known = undefined;
  }

  add(kind: Doubt["kind"], subject: string, revision: number): void {
    const known = this.#all().filter((doubt) => doubt.kind !== kind || doubt.subject !== subject);
    if (known.length < maxDoubts) {
      this.#sql.run("INSERT OR REPLACE INTO invalidated VALUES (?, ?, ?)", kind, subject, revision);
      this.#known = [...known, { kind, subject, revision }];
    } else {
      this.#sql.run("DELETE FROM invalidated");
      this.#sql.run("INSERT INTO invalidated VALUES ('invalidatePrefix', '', ?)", revision);
      this.#known = [{ kind: "invalidatePrefix", subject: "", revision }];
    }
  }

  /** The newest revision at which `key` was invalidated with others; 0: never. */
  revision(key: string, tags: readonly string[]): number {
    let newest = 0;
    for (const { kind, subject, revision } of this.#all()) {
      const isMeant = kind === "invalidatePrefix" ? key.startsWith(subject) : tags.includes(subject);
      if (isMeant && revision > newest) newest = revision;
    }
    return newest;
  }

  #all(): readonly Doubt[] {
    this.#known ??= this.#sql
      .all<SqlRow & { kind: Doubt["kind"]; subject: string; revision: number }>(
        "SELECT kind, subject, revision FROM invalidated",
      )
      .map(({ kind, subject, revision }) => ({ kind, subject, revision }));
    return this.#known;
  }
}
