import type { Payload } from "../protocol/payload.ts";
import type { Change, ChangeKind } from "../protocol/shard-api.ts";
import type { PublicationKind } from "../protocol/watch.ts";
import { fromUtf8, utf8 } from "../runtime/bytes.ts";
import { maxLogValueBytes, maxPublishBytes } from "../runtime/limits.ts";
import { blob, type Sql, type SqlRow } from "../runtime/sql.ts";
import { LogValues } from "./log-values.ts";

/** What an entry of the log says beside its revision. */
export interface LogEntry {
  readonly kind: ChangeKind | PublicationKind;
  /** The key, prefix or pattern. */
  readonly key: string;
  /** The key's version after the entry; 0: absent. */
  readonly version: number;
  readonly existed: boolean;
  readonly atMs: number;
  /** The operation that wrote it; undefined for what the shard did by itself. */
  readonly opId?: string;
  readonly fingerprint?: string;
  /** What it brought, for those who watch. Kept if it is small enough, and for as long as there is room. */
  readonly payload?: Payload;
}

/** How much of the log stays. */
export interface Retention {
  readonly maxEntries: number;
  readonly maxAgeMs: number;
  /** Entries younger than this stay in any case: they hold the verdicts of op ids that still count. */
  readonly minAgeMs: number;
  /** Bytes of values, see {@link LogValues}. */
  readonly maxValueBytes: number;
}

/**
 * The shard's log: every change, in order, at a revision of its own, those of one transaction at one. It is the source of revisions: they grow by one
 * with each entry, transaction or reservation and are never given twice, because the newest entry and the newest reservation are never removed.
 */
export class ChangeLog {
  readonly #sql: Sql;
  readonly #marks: LogMarks;
  #head = 0;
  /** The highest reserved revision that the database has. */
  #reserved = 0;
  /** Up to here entries may have been removed: `since` can't reach below it. */
  #floor = 0;
  /** The oldest and the newest entry; 0: there is none. */
  #oldest = 0;
  #newest = 0;
  #newestAtMs = 0;
  #oldestAtMs = 0;
  /** Inside {@link together}: the place of the next entry in the revision that they share. */
  #shared: number | undefined;
  readonly #values: LogValues;

  constructor(sql: Sql, marks: LogMarks) {
    this.#sql = sql;
    this.#marks = marks;
    this.#values = new LogValues(sql, marks);
    this.#measureOldest();
    const [newest] = this.#sql.all<{ revision: number; at: number }>(
      "SELECT revision, at FROM log ORDER BY revision DESC LIMIT 1",
    );
    this.#newest = newest?.revision ?? 0;
    this.#newestAtMs = newest?.at ?? 0;
    this.#reserved = marks.reserved;
    this.#head = Math.max(this.#newest, this.#reserved);
    this.#floor = marks.floor;
  }

  /** The newest revision; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  get floor(): number {
    return this.#floor;
  }

  /** The revision that the next entry gets. */
  get next(): number {
    return this.#shared === undefined || this.#shared === 0 ? this.#head + 1 : this.#head;
  }

  /** The place of the newest entry among those that share its revision. */
  get seq(): number {
    return this.#shared === undefined ? 0 : this.#shared - 1;
  }

  /** Revisions from the oldest that is kept, reserved ones among them. */
  get entries(): number {
    return this.#head - this.#floor;
  }

  /** The time of an entry added at `nowMs`: times never run backwards along the log, whatever the host's clock does. */
  timeOf(nowMs: number): number {
    return Math.max(Math.floor(nowMs), this.#newestAtMs);
  }

  /** What `work` appends shares one revision. If it throws, the caller's transaction must be undone. */
  together<T>(work: () => T): T {
    this.#shared = 0;
    try {
      return work();
    } finally {
      this.#shared = undefined;
    }
  }

  /**
   * Takes the next revision without an entry: for what has a place in the shard's order and is no change of keys. {@link settle} must follow in the same
   * transaction. Not inside {@link together}.
   */
  reserve(): number {
    this.#head++;
    return this.#head;
  }

  /** Writes down how far revisions were given, where no entry tells it: once for all that a transaction has reserved. */
  settle(): void {
    if (this.#head <= Math.max(this.#newest, this.#reserved)) return;
    this.#marks.reserved = this.#head;
    this.#reserved = this.#head;
  }

  /** Adds an entry at the next revision, which it gives. */
  append(entry: LogEntry): number {
    const revision = this.next;
    const seq = this.#shared ?? 0;
    // Retention by age depends on times that never run backwards.
    const at = this.timeOf(entry.atMs);
    this.#sql.run(
      "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      revision,
      seq,
      entry.kind,
      utf8(entry.key),
      entry.version,
      entry.existed ? 1 : 0,
      at,
      entry.opId ?? null,
      entry.fingerprint ?? null,
      ...this.#values.add(entry.payload, entry.kind === "set" ? maxLogValueBytes : maxPublishBytes),
    );
    if (this.#newest === 0) {
      this.#oldest = revision;
      this.#oldestAtMs = at;
    }
    this.#head = revision;
    this.#newest = revision;
    this.#newestAtMs = at;
    if (this.#shared !== undefined) this.#shared++;
    return revision;
  }

  /**
   * The entries after `revision` that nodes hear of, in order: at most `limit`, and the rest of the last one's revision, which is never cut in two. The
   * caller has checked the floor.
   */
  since(revision: number, limit: number): Change[] {
    const rows = this.#sql.all<ChangeRow>(
      `SELECT revision, seq, kind, key FROM log WHERE revision > ? AND ${isChange} ORDER BY revision, seq LIMIT ?`,
      revision,
      limit,
    );
    const last = rows.at(-1);
    if (last !== undefined && rows.length >= limit) {
      const rest = this.#sql.all<ChangeRow>(
        `SELECT revision, seq, kind, key FROM log WHERE revision = ? AND seq > ? AND ${isChange} ORDER BY seq`,
        last.revision,
        last.seq,
      );
      rows.push(...rest);
    }
    return rows.map((row) => ({ revision: row.revision, kind: row.kind, key: fromUtf8(blob(row.key)) }));
  }

  /** When the oldest entry will have to go by age; undefined while there is nothing to remove. */
  trimDueMs(retention: Retention): number | undefined {
    if (this.#oldest === this.#newest) return undefined;
    return this.#oldestAtMs + Math.max(retention.maxAgeMs, retention.minAgeMs);
  }

  /**
   * Removes about `chunk` of the oldest entries at most (a revision goes as a whole), of those that are beyond the count or the age, never the
   * newest. `verdictsMs`: the time by which those are judged whose operations may be asked for again. Default: `nowMs`.
   */
  trim(retention: Retention, nowMs: number, chunk: number, verdictsMs = nowMs): void {
    if (verdictsMs - this.#oldestAtMs < retention.minAgeMs) return;
    const beyondCount = this.#head - retention.maxEntries;
    const old = this.#sql.all<{ revision: number; at: number }>(
      "SELECT revision, at FROM log ORDER BY revision LIMIT ?",
      chunk,
    );
    let upTo = this.#floor;
    for (const { revision, at } of old) {
      const age = nowMs - at;
      const goes =
        verdictsMs - at >= retention.minAgeMs && (revision <= beyondCount || age >= retention.maxAgeMs);
      if (!goes || revision >= this.#newest) break;
      upTo = revision;
    }
    if (upTo === this.#floor) return;
    this.#sql.run("DELETE FROM log WHERE revision <= ?", upTo);
    this.#floor = upTo;
    this.#marks.floor = upTo;
    this.#measureOldest();
    this.#values.measure();
  }

  /** Keeps the values within their bytes: called with each commit, a bounded number of rows each time. */
  trimValues({ maxValueBytes }: Retention, nowMs: number, chunk: number): void {
    this.#values.trim(maxValueBytes, nowMs, chunk);
  }

  #measureOldest(): void {
    const [oldest] = this.#sql.all<{ revision: number; at: number }>(
      "SELECT revision, at FROM log ORDER BY revision LIMIT 1",
    );
    this.#oldest = oldest?.revision ?? 0;
    this.#oldestAtMs = oldest?.at ?? 0;
  }
}

/** Publications are for those who watch: a node has nothing of them to drop. */
const isChange = "kind NOT IN ('publish', 'publishPrefix')";

/** What must be kept of a log beside its entries. */
export interface LogMarks {
  /** How far revisions were given, if no entry says more; 0: by entries alone. */
  reserved: number;
  /** Up to where entries were removed; 0: none was. */
  floor: number;
  /** Up to where values were removed from entries; 0: nowhere. */
  valueFloor: number;
}

type ChangeRow = SqlRow & { revision: number; seq: number; kind: ChangeKind };
