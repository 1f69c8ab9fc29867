import type { BackingChange, LogPlace } from "../../backing/backing.ts";
import { fromUtf8, utf8 } from "../../runtime/bytes.ts";
import { blob, type Sql } from "../../runtime/sql.ts";
import { readTags } from "../key-table.ts";
import { Cut, type CutLimits } from "./cut.ts";
import type { Mark, Refill } from "./storage-mark.ts";

/** Places behind all that the log has at their revision: for keys that go to the storage again in the order of keys, not of the log. */
export const firstRefillSeq = 1_000_000;
/** Log entries, or keys, that one stretch looks through. */
const lookedThrough = 1_000;

/** What goes to the storage again next, and what is still to go then; no changes: it is all there. */
export interface RefillPage {
  readonly changes: readonly BackingChange[];
  readonly next: Refill | undefined;
}

/** What the storage has lost, read from what the shard holds. Nothing of it stands in the outbox: it would have to be written there to be read once. */
export class Refills {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** `before`: the oldest place that waits in the outbox; `head`: the newest durable revision. */
  page(
    { position, refill }: Mark,
    before: LogPlace | undefined,
    head: number,
    limits: CutLimits,
  ): RefillPage {
    if (refill === undefined) return { changes: [], next: undefined };
    return refill.from === "log"
      ? this.#ofLog(position, before ?? { revision: head + 1, seq: 0 }, limits)
      : this.#ofKeys(position, refill, limits);
  }

  /** Whether values came from the storage after this revision: they wait in no outbox. */
  hasAdopted(after: number): boolean {
    return (
      this.#sql.all("SELECT 1 FROM keys WHERE source IS NOT NULL AND version > ? LIMIT 1", after).length > 0
    );
  }

  /** Log entries that still say how their key stands, with its value. */
  #ofLog(position: LogPlace, before: LogPlace, limits: CutLimits): RefillPage {
    const cut = new Cut(limits);
    let after = position;
    for (;;) {
      const rows = this.#sql.all<{ revision: number; seq: number; kind: string; key: Uint8Array }>(
        "SELECT revision, seq, kind, key FROM log WHERE (revision, seq) > (?, ?) AND (revision, seq) < (?, ?) AND kind IN ('set', 'delete', 'expire') ORDER BY revision, seq LIMIT ?",
        after.revision,
        after.seq,
        before.revision,
        before.seq,
        lookedThrough,
      );
      for (const { revision, seq, kind, key } of rows) {
        after = { revision, seq };
        const change = this.#present(key, after, kind === "set" ? revision : 0);
        if (change !== undefined && !cut.take(change)) return { changes: cut.changes, next: { from: "log" } };
      }
      if (rows.length < lookedThrough) return { changes: cut.changes, next: undefined };
    }
  }

  #ofKeys(position: LogPlace, { after, upTo }: Refill & { from: "keys" }, limits: CutLimits): RefillPage {
    const cut = new Cut(limits);
    const rows = this.#sql.all<{ key: Uint8Array; version: number }>(
      `SELECT key, version FROM keys WHERE (version <= ? OR source IS NOT NULL) AND away IS NULL ${after === undefined ? "" : "AND key > ?"} ORDER BY key LIMIT ?`,
      upTo,
      ...(after === undefined ? [] : [utf8(after)]),
      lookedThrough,
    );
    const { revision } = position;
    let seq = Math.max(position.seq, firstRefillSeq);
    let last = after;
    for (const { key, version } of rows) {
      const change = this.#present(key, { revision, seq: seq + 1 }, version);
      if (change !== undefined) {
        if (!cut.take(change)) return { changes: cut.changes, next: nextKeys(last, upTo) };
        seq++;
      }
      last = fromUtf8(blob(key));
    }
    return { changes: cut.changes, next: rows.length < lookedThrough ? undefined : nextKeys(last, upTo) };
  }

  /** The change that makes a key what it is now; undefined where it is not of this version (0: absent) any more: then a later entry tells. */
  #present(rawKey: Uint8Array, place: LogPlace, version: number): BackingChange | undefined {
    // A key that changes often has many entries: its value is read for the one that tells how it stands.
    const [row] = this.#sql.all(
      "SELECT version, CASE version WHEN ? THEN value END AS value, away, content_type, modified_at, expires_at, tags FROM keys WHERE key = ?",
      version,
      rawKey,
    );
    const key = fromUtf8(blob(rawKey));
    if (row === undefined) return version === 0 ? { kind: "delete", ...place, key } : undefined;
    // What was let go of is the storage's to have; whoever asks for it is told if it is lost.
    if (row.version !== version || row.away !== null) return undefined;
    const expiresAt = row.expires_at as number | null;
    return {
      kind: "put",
      ...place,
      key,
      version,
      payload: { bytes: blob(row.value), contentType: row.content_type as string },
      modifiedAtMs: row.modified_at as number,
      ...(expiresAt === null ? {} : { expiresAtMs: expiresAt }),
      ...readTags(row.tags as string | null),
    };
  }
}

function nextKeys(after: string | undefined, upTo: number): Refill {
  return after === undefined ? { from: "keys", upTo } : { from: "keys", after, upTo };
}
