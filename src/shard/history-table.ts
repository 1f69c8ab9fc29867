import type { Payload } from "../protocol/payload.ts";
import type { KeptVersion } from "../protocol/shard-api.ts";
import type { ChainLink } from "../protocol/versions.ts";
import { blob, type Sql, type SqlRow } from "../runtime/sql.ts";
import { readTags } from "./key-table.ts";

/** A link of a key's chain as it stands in the table. */
export interface HistoryRow extends ChainLink {
  readonly version: number;
  /** Its place in the chain: they grow by one, so that the two ends of a chain tell its length. */
  readonly seq: number;
}

/** A kept version; a value's payload is with it. */
export type StoredVersion = KeptVersion & { readonly payload?: Payload };

type LinkRow = { version: number; seq: number; kind: ChainLink["kind"]; at: number };

/**
 * The versions of keys that are no longer the present ones, and deletions. The present value stands in `keys` only: it moves here in one statement, inside
 * the database, when it is superseded.
 */
export class HistoryTable {
  readonly #sql: Sql;
  /** Whether there is any row: most shards keep no history, and then nothing needs to be asked. */
  #any: boolean;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#any = sql.all("SELECT 1 FROM history LIMIT 1").length > 0;
  }

  get any(): boolean {
    return this.#any;
  }

  /** Takes over the present value of `key`. */
  keepPresent(key: Uint8Array, seq: number): void {
    this.#sql.run(
      "INSERT INTO history SELECT key, version, ?, 'set', modified_at, content_type, tags, value FROM keys WHERE key = ?",
      seq,
      key,
    );
    this.#any = true;
  }

  /** Adds a link without a value. */
  add(key: Uint8Array, { version, seq, kind, atMs }: HistoryRow): void {
    this.#sql.run(
      "INSERT INTO history VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL)",
      key,
      version,
      seq,
      kind,
      atMs,
    );
    this.#any = true;
  }

  newest(key: Uint8Array): HistoryRow | undefined {
    return this.#links("key = ? ORDER BY version DESC LIMIT 1", key)[0];
  }

  /** The oldest links, at most `limit`. */
  oldest(key: Uint8Array, limit: number): HistoryRow[] {
    return this.#links("key = ? ORDER BY version LIMIT ?", key, limit);
  }

  /** The oldest version: the mark of an absence is none. */
  floor(key: Uint8Array): number | undefined {
    return this.#links("key = ? AND kind <> 'absent' ORDER BY version LIMIT 1", key)[0]?.version;
  }

  /**
   * The newest link of `key` that is not later than `atMs`. Times never run backwards along a chain, so it is found by halving, in some
   * thirty steps at most.
   */
  linkAt(key: Uint8Array, atMs: number): HistoryRow | undefined {
    const newest = this.newest(key);
    let [found] = this.oldest(key, 1);
    if (newest === undefined || found === undefined || found.atMs > atMs) return undefined;
    if (newest.atMs <= atMs) return newest;
    let beyond = newest.version;
    while (beyond - found.version > 1) {
      const middle = found.version + Math.floor((beyond - found.version) / 2);
      const [link] = this.#links(
        "key = ? AND version > ? AND version <= ? ORDER BY version DESC LIMIT 1",
        key,
        found.version,
        middle,
      );
      if (link === undefined) {
        // Nothing in the lower half: the next link above it decides.
        const [next] = this.#links("key = ? AND version > ? ORDER BY version LIMIT 1", key, middle);
        if (next === undefined || next.atMs > atMs) return found;
        found = next;
      } else if (link.atMs <= atMs) found = link;
      else beyond = link.version;
    }
    return found;
  }

  /** One version with its value; undefined: not here. */
  version(key: Uint8Array, version: number): StoredVersion | undefined {
    const [row] = this.#sql.all(
      "SELECT version, kind, at, content_type, tags, length(value) AS size, value FROM history WHERE key = ? AND version = ? AND kind <> 'absent'",
      key,
      version,
    );
    if (row === undefined) return undefined;
    const described = describe(row);
    if (described.contentType === undefined) return described;
    return { ...described, payload: { bytes: blob(row.value), contentType: described.contentType } };
  }

  /** Versions below `before`, newest first, without their values. */
  page(key: Uint8Array, before: number, limit: number): KeptVersion[] {
    return this.#sql
      .all(
        "SELECT version, kind, at, content_type, tags, length(value) AS size FROM history WHERE key = ? AND version < ? AND kind <> 'absent' ORDER BY version DESC LIMIT ?",
        key,
        before,
        limit,
      )
      .map(describe);
  }

  /** Removes the links of `key` up to `version`, all of them without one. */
  remove(key: Uint8Array, version = Number.MAX_SAFE_INTEGER): void {
    this.#sql.run("DELETE FROM history WHERE key = ? AND version <= ?", key, version);
  }

  /** The first key with a chain after `key`. */
  keyAfter(key: Uint8Array): Uint8Array | undefined {
    const [row] = this.#sql.all("SELECT key FROM history WHERE key > ? ORDER BY key LIMIT 1", key);
    return row === undefined ? undefined : blob(row.key);
  }

  #links(where: string, ...bindings: Parameters<Sql["run"]>[1][]): HistoryRow[] {
    return this.#sql
      .all<LinkRow>(`SELECT version, seq, kind, at FROM history WHERE ${where}`, ...bindings)
      .map(({ version, seq, kind, at }) => ({ version, seq, kind, atMs: at }));
  }
}

function describe(row: SqlRow): KeptVersion {
  const contentType = row.content_type as string | null;
  return {
    version: row.version as number,
    kind: row.kind as KeptVersion["kind"],
    atMs: row.at as number,
    sizeBytes: (row.size as number | null) ?? 0,
    ...(contentType === null ? {} : { contentType }),
    ...readTags(row.tags as string | null),
  };
}
