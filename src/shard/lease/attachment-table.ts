import { fromUtf8, utf8 } from "../../runtime/bytes.ts";
import { blob, type Sql } from "../../runtime/sql.ts";

/**
 * The keys of this shard that leases have, whatever shard is the home of those: which leases this shard has joined, and which have ended not long ago. Keys are
 * names: they need not exist.
 */
export class AttachmentTable {
  readonly #sql: Sql;
  /** Keys of a lease, or a few more: what was taken away or undone is not counted. */
  readonly #counts: Map<string, number>;
  /** When the oldest end was; undefined: there is none; "unknown": not looked for yet. */
  #oldestEndMs: number | undefined | "unknown" = "unknown";

  /** `before`: the one that this takes the place of. */
  constructor(sql: Sql, before?: AttachmentTable) {
    this.#sql = sql;
    this.#counts = before === undefined ? new Map() : before.#counts;
    if (before !== undefined) this.#oldestEndMs = before.#oldestEndMs;
  }

  has(lease: string, key: string): boolean {
    const found = this.#sql.all("SELECT 1 FROM lease_keys WHERE lease = ? AND key = ?", lease, utf8(key));
    return found.length > 0;
  }

  /** Whether a lease may have `more` keys than it has. */
  hasRoom(lease: string, more: number, max: number): boolean {
    let count = this.#counts.get(lease);
    if (count === undefined || count + more > max) {
      const [row] = this.#sql.all<{ count: number }>(
        "SELECT count(*) AS count FROM lease_keys WHERE lease = ?",
        lease,
      );
      count = row?.count ?? 0;
      this.#counts.set(lease, count);
    }
    return count + more <= max;
  }

  add(lease: string, key: string): void {
    this.#sql.run("INSERT OR IGNORE INTO lease_keys VALUES (?, ?)", lease, utf8(key));
    const count = this.#counts.get(lease);
    if (count !== undefined) this.#counts.set(lease, count + 1);
  }

  remove(lease: string, key: string): void {
    this.#sql.run("DELETE FROM lease_keys WHERE lease = ? AND key = ?", lease, utf8(key));
  }

  /** At most `limit` keys of a lease after `after`, in order of their bytes. */
  page(lease: string, after: string | undefined, limit: number): string[] {
    return this.#sql
      .all(
        "SELECT key FROM lease_keys WHERE lease = ? AND key > ? ORDER BY key LIMIT ?",
        lease,
        utf8(after ?? ""),
        limit,
      )
      .map(({ key }) => fromUtf8(blob(key)));
  }

  /** Whether this shard has told a lease's home that it may have keys of it, and that has not ended since. */
  isJoined(lease: string): boolean {
    return this.#sql.all("SELECT 1 FROM lease_joins WHERE id = ?", lease).length > 0;
  }

  /** Its home knows of this shard. Says nothing where the end of the lease has been told meanwhile. */
  join(lease: string): void {
    if (!this.isEnded(lease)) this.#sql.run("INSERT OR IGNORE INTO lease_joins VALUES (?)", lease);
  }

  /** Whether the end of a lease was told here not long ago. */
  isEnded(lease: string): boolean {
    return this.#sql.all("SELECT 1 FROM lease_ends WHERE id = ?", lease).length > 0;
  }

  /** From now on no key is attached to it here. */
  markEnded(lease: string, atMs: number): void {
    this.#sql.run("DELETE FROM lease_joins WHERE id = ?", lease);
    this.#sql.run("INSERT OR REPLACE INTO lease_ends VALUES (?, ?)", lease, Math.floor(atMs));
    this.#counts.delete(lease);
    if (this.#oldestEndMs === undefined) this.#oldestEndMs = Math.floor(atMs);
  }

  /** Undefined: there is none. */
  get oldestEndMs(): number | undefined {
    if (this.#oldestEndMs === "unknown") {
      const [row] = this.#sql.all<{ at: number | null }>("SELECT min(at) AS at FROM lease_ends");
      this.#oldestEndMs = row?.at ?? undefined;
    }
    return this.#oldestEndMs;
  }

  /** Forgets ends from before `beforeMs`. */
  trimEnds(beforeMs: number): void {
    this.#sql.run("DELETE FROM lease_ends WHERE at < ?", Math.floor(beforeMs));
    this.#oldestEndMs = "unknown";
  }
}
