import { utf8 } from "../../runtime/bytes.ts";
import { blob, type Sql } from "../../runtime/sql.ts";

/** Where the value of a key is, and what the storage is believed to have for it. */
export interface KeyPlace {
  readonly version: number;
  readonly away: boolean;
  /** Size of a value that is away. */
  readonly awayBytes: number | undefined;
  /** As `sourceOf` tells it; undefined: what this shard told the storage, under the key's version. */
  readonly source: string | undefined;
  /** The revision up to which the value is known to be the storage's too; -1: it is to be asked. */
  readonly knownAt: number;
  readonly tags: readonly string[];
  readonly expiresAtMs: number | undefined;
}

/** A key that could be dropped. */
export interface DropCandidate {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly version: number;
  readonly source: string | undefined;
  readonly sizeBytes: number;
}

/** The columns of `keys` that tell where values are. */
export class KeyPlaces {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Undefined: the key has no row. */
  find(key: string): KeyPlace | undefined {
    const [row] = this.#sql.all(
      "SELECT version, away, source, checked, tags, expires_at FROM keys WHERE key = ?",
      utf8(key),
    );
    if (row === undefined) return undefined;
    const version = row.version as number;
    const checked = row.checked as number | null;
    return {
      version,
      away: row.away !== null,
      awayBytes: (row.away as number | null) ?? undefined,
      source: (row.source as string | null) ?? undefined,
      knownAt: checked === -1 ? -1 : Math.max(version, checked ?? 0),
      tags: row.tags === null ? [] : (JSON.parse(row.tags as string) as string[]),
      expiresAtMs: (row.expires_at as number | null) ?? undefined,
    };
  }

  /** Puts the value of an away key back. */
  fill(key: string, bytes: Uint8Array, revision: number): void {
    this.#sql.run(
      "UPDATE keys SET value = ?, away = NULL, checked = ? WHERE key = ?",
      bytes,
      revision,
      utf8(key),
    );
  }

  /** The storage was seen to have the same. */
  confirm(key: string, revision: number): void {
    this.#sql.run("UPDATE keys SET checked = ? WHERE key = ?", revision, utf8(key));
  }

  /** The storage is to be asked about it. */
  doubt(key: string): void {
    this.#sql.run("UPDATE keys SET checked = -1 WHERE key = ?", utf8(key));
  }

  /** Lets go of a value; its key stays. */
  drop(key: Uint8Array): void {
    this.#sql.run("UPDATE keys SET away = length(value), value = x'' WHERE key = ? AND away IS NULL", key);
  }

  /** Keys after `after` in order of their bytes, whose values are here. */
  stretch(after: Uint8Array, limit: number): DropCandidate[] {
    const decoder = new TextDecoder();
    return this.#sql
      .all(
        "SELECT key, version, source, length(value) AS size FROM keys WHERE key > ? AND away IS NULL ORDER BY key LIMIT ?",
        after,
        limit,
      )
      .map((row) => {
        const bytes = blob(row.key);
        const [version, sizeBytes] = [row.version as number, row.size as number];
        const source = (row.source as string | null) ?? undefined;
        return { key: decoder.decode(bytes), bytes, version, source, sizeBytes };
      });
  }

  /** Whether the storage has yet to hear that a key without a row is gone. */
  isEnding(key: string): boolean {
    return this.#sql.all("SELECT 1 FROM outbox WHERE version = 0 AND key = ? LIMIT 1", utf8(key)).length > 0;
  }
}
