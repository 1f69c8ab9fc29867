import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import type { ListedKey, StoredEntry } from "../protocol/shard-api.ts";
import { compareBytes, fromUtf8, utf8 } from "../runtime/bytes.ts";
import { blob, type Sql, type SqlRow } from "../runtime/sql.ts";

/** What must be known about a key before it is changed. */
export interface KeyState {
  readonly version: number;
  readonly sizeBytes: number;
  /** Its value is in the storage behind the shard only. */
  readonly away: boolean;
  readonly modifiedAtMs: number;
  /** When its life ends; undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** Its end has come: it counts as absent, but its row and its log entry are still to be written. */
  readonly due: boolean;
}

/** A key's row. */
export interface KeyRow {
  readonly version: number;
  readonly payload: Payload;
  readonly tags: readonly string[] | undefined;
  readonly modifiedAtMs: number;
  readonly expiresAtMs: number | undefined;
}

/** Figures about all keys. */
export interface KeyTotals {
  keys: number;
  /** Of values that are here. */
  valueBytes: number;
}

/**
 * The first byte string after all that begin with `prefix`; undefined where there is none (an empty prefix, or one of 0xFF bytes
 * only, which UTF-8 never has).
 */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  if (end === 0) return undefined;
  const next = prefix.slice(0, end);
  next[end - 1] = (next[end - 1] ?? 0) + 1;
  return next;
}

/** The keys of a shard with their present values. Expired ones count as absent from the moment they are due. */
export class KeyTable {
  readonly #sql: Sql;
  /** Counted once when first asked for, then kept up with each change. */
  #totals: KeyTotals | undefined;
  /** The earliest end of any key; undefined: none ends. */
  #nextExpiryMs: number | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.reload();
  }

  /** Takes the state from the database again: after a start, and after a transaction that was undone. */
  reload(): void {
    this.#totals = undefined;
    this.measureExpiry();
  }

  get nextExpiryMs(): number | undefined {
    return this.#nextExpiryMs;
  }

  totals(): Readonly<KeyTotals> {
    if (this.#totals === undefined) {
      const [row] = this.#sql.all<{ keys: number; bytes: number | null }>(
        "SELECT count(*) AS keys, sum(length(value)) AS bytes FROM keys",
      );
      this.#totals = { keys: row?.keys ?? 0, valueBytes: row?.bytes ?? 0 };
    }
    return this.#totals;
  }

  /** Figures that were counted before something began that was undone as a whole. */
  get counted(): Readonly<KeyTotals> | undefined {
    return this.#totals === undefined ? undefined : { ...this.#totals };
  }

  set counted(totals: Readonly<KeyTotals> | undefined) {
    this.#totals = totals === undefined ? undefined : { ...totals };
  }

  /** What is known of a key that has a row; undefined: it has none. */
  state(key: string, nowMs: number): KeyState | undefined {
    const [row] = this.#sql.all<StateRow>(
      "SELECT version, length(value) AS size, away, modified_at, expires_at FROM keys WHERE key = ?",
      utf8(key),
    );
    return row === undefined ? undefined : stateOf(row, nowMs);
  }

  /** A live key with its value; undefined: absent. Its value must be here: see {@link KeyState.away}. */
  get(key: string, nowMs: number): StoredEntry | undefined {
    const [row] = this.#sql.all(
      "SELECT version, value, away, content_type, modified_at, expires_at, tags FROM keys WHERE key = ?",
      utf8(key),
    );
    if (row === undefined) return undefined;
    const expiresAt = row.expires_at as number | null;
    if (expiresAt !== null && expiresAt <= nowMs) return undefined;
    if (row.away !== null) throw new WarpError("internal", "a value was asked for that is not here");
    return {
      key,
      version: row.version as number,
      modifiedAtMs: row.modified_at as number,
      payload: { bytes: blob(row.value), contentType: row.content_type as string },
      ...(expiresAt === null ? {} : { expiresInMs: expiresAt - nowMs }),
      ...readTags(row.tags as string | null),
    };
  }

  /** A live key without its value; undefined: absent. */
  describe(key: string, nowMs: number): ListedKey | undefined {
    const [row] = this.#sql.all(
      "SELECT key, version, coalesce(away, length(value)) AS size, content_type, modified_at, expires_at, tags FROM keys WHERE key = ?",
      utf8(key),
    );
    const expiresAt = row?.expires_at as number | null | undefined;
    if (row === undefined || (typeof expiresAt === "number" && expiresAt <= nowMs)) return undefined;
    return listed(row, nowMs);
  }

  /** Writes a key. `before` is its state as {@link state} gave it in the same stretch. */
  put(key: string, row: KeyRow, before: KeyState | undefined): void {
    const { payload, expiresAtMs, tags = [] } = row;
    this.#sql.run(
      "INSERT OR REPLACE INTO keys (key, version, value, content_type, modified_at, expires_at, tags) VALUES (?, ?, ?, ?, ?, ?, ?)",
      utf8(key),
      row.version,
      payload.bytes,
      payload.contentType,
      row.modifiedAtMs,
      expiresAtMs ?? null,
      tags.length === 0 ? null : JSON.stringify(tags),
    );
    if (this.#totals !== undefined) {
      if (before === undefined) this.#totals.keys++;
      this.#totals.valueBytes += payload.bytes.length - heldBytes(before);
    }
    if (expiresAtMs !== undefined && (this.#nextExpiryMs === undefined || expiresAtMs < this.#nextExpiryMs)) {
      this.#nextExpiryMs = expiresAtMs;
    }
  }

  /** Removes a key. `before` as for {@link put}. */
  remove(key: string, before: KeyState): void {
    this.#sql.run("DELETE FROM keys WHERE key = ?", utf8(key));
    if (this.#totals !== undefined) {
      this.#totals.keys--;
      this.#totals.valueBytes -= heldBytes(before);
    }
  }

  /** Notes what the storage behind the shard has for a key, where that is not what the shard told it. */
  tie(key: string, source: string): void {
    this.#sql.run("UPDATE keys SET source = ? WHERE key = ?", source, utf8(key));
  }

  /** Values have come or gone, and their keys stayed as they were. */
  moved(bytes: number): void {
    if (this.#totals !== undefined) this.#totals.valueBytes += bytes;
  }

  /** At most `chunk` keys that are due at `nowMs`, earliest first. */
  due(nowMs: number, chunk: number): readonly { readonly key: string; readonly state: KeyState }[] {
    if (this.#nextExpiryMs === undefined || this.#nextExpiryMs > nowMs) return [];
    return this.#sql
      .all<SqlRow & StateRow>(
        "SELECT key, version, length(value) AS size, away, modified_at, expires_at FROM keys WHERE expires_at IS NOT NULL AND expires_at <= ? ORDER BY expires_at LIMIT ?",
        nowMs,
        chunk,
      )
      .map((row) => ({ key: fromUtf8(blob(row.key)), state: stateOf(row, nowMs) }));
  }

  /** Finds the earliest end again, after keys that were due have been removed. */
  measureExpiry(): void {
    const [row] = this.#sql.all<{ at: number | null }>(
      "SELECT min(expires_at) AS at FROM keys WHERE expires_at IS NOT NULL",
    );
    this.#nextExpiryMs = row?.at ?? undefined;
  }

  /**
   * At most `limit` live keys that begin with `prefix`, after the key `after`, in order of their bytes. With `valueBytes` the values
   * come too (of those that are here), and the page ends before they exceed that many bytes (never before its first key).
   */
  list(
    prefix: string,
    after: string | undefined,
    limit: number,
    nowMs: number,
    valueBytes: number | undefined,
  ): { items: ListedKey[]; more: boolean } {
    const start = utf8(prefix);
    const end = prefixEnd(start);
    const last = after === undefined ? undefined : utf8(after);
    // One lower bound only, the larger one: with two, SQLite would walk from the prefix's start for each page.
    const resume = last !== undefined && compareBytes(last, start) >= 0;
    const rows = this.#sql.all(
      `SELECT key, version, coalesce(away, length(value)) AS size, away, content_type, modified_at, expires_at, tags FROM keys WHERE key ${resume ? ">" : ">="} ? ${end === undefined ? "" : "AND key < ?"} AND (expires_at IS NULL OR expires_at > ?) ORDER BY key LIMIT ?`,
      resume ? last : start,
      ...(end === undefined ? [] : [end]),
      nowMs,
      limit + 1,
    );
    let more = rows.length > limit;
    const items: ListedKey[] = [];
    let bytes = 0;
    for (const row of rows.slice(0, limit)) {
      bytes += row.size as number;
      if (valueBytes !== undefined && bytes > valueBytes && items.length > 0) {
        more = true;
        break;
      }
      items.push({
        ...listed(row, nowMs),
        ...(valueBytes === undefined || row.away !== null
          ? {}
          : {
              payload: { bytes: this.#value(row.key as Uint8Array), contentType: row.content_type as string },
            }),
      });
    }
    return { items, more };
  }

  #value(key: Uint8Array | ArrayBuffer): Uint8Array {
    const [row] = this.#sql.all("SELECT value FROM keys WHERE key = ?", key);
    return blob(row?.value);
  }
}

type StateRow = {
  version: number;
  size: number;
  away: number | null;
  modified_at: number;
  expires_at: number | null;
};

function stateOf(row: StateRow, nowMs: number): KeyState {
  return {
    version: row.version,
    sizeBytes: row.away ?? row.size,
    away: row.away !== null,
    modifiedAtMs: row.modified_at,
    expiresAtMs: row.expires_at ?? undefined,
    due: row.expires_at !== null && row.expires_at <= nowMs,
  };
}

function listed(row: SqlRow, nowMs: number): ListedKey {
  const expiresAt = row.expires_at as number | null;
  return {
    key: fromUtf8(blob(row.key)),
    version: row.version as number,
    modifiedAtMs: row.modified_at as number,
    sizeBytes: row.size as number,
    contentType: row.content_type as string,
    ...(expiresAt === null ? {} : { expiresInMs: expiresAt - nowMs }),
    ...readTags(row.tags as string | null),
  };
}

/** Bytes of its value that are here. */
function heldBytes(state: KeyState | undefined): number {
  return state === undefined || state.away ? 0 : state.sizeBytes;
}

/** A `tags` column as a member of what is described: absent where there are none. */
export function readTags(column: string | null): { readonly tags?: readonly string[] } {
  return column === null ? {} : { tags: JSON.parse(column) as string[] };
}
