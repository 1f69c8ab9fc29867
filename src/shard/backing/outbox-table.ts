import type { BackingChange, LogPlace } from "../../backing/backing.ts";
import { fromUtf8 } from "../../runtime/bytes.ts";
import { blob, type Sql } from "../../runtime/sql.ts";
import { readTags } from "../key-table.ts";
import { Cut, type CutLimits } from "./cut.ts";

/** How much waits. */
export interface OutboxTotals {
  readonly entries: number;
  readonly bytes: number;
}

/** What goes to the storage next. */
export interface OutboxPage {
  readonly changes: readonly BackingChange[];
  /** Up to here the log's revisions go with it as wholes. */
  readonly wholeTo: number;
}

/** What waits for the storage, oldest first: see `Outbox`, which writes it. */
export class OutboxTable {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The oldest entry and its time. */
  first(): (LogPlace & { readonly atMs: number }) | undefined {
    const [row] = this.#sql.all<{ revision: number; seq: number; at: number }>(
      "SELECT revision, seq, at FROM outbox ORDER BY revision, seq LIMIT 1",
    );
    return row && { revision: row.revision, seq: row.seq, atMs: row.at };
  }

  has({ revision, seq }: LogPlace): boolean {
    return this.#sql.all("SELECT 1 FROM outbox WHERE revision = ? AND seq = ?", revision, seq).length > 0;
  }

  /** Whether something that was written at this revision waits. */
  awaits(revision: number): boolean {
    return this.#sql.all("SELECT 1 FROM outbox WHERE revision = ? LIMIT 1", revision).length > 0;
  }

  firstKey(): string | undefined {
    const [row] = this.#sql.all("SELECT key FROM outbox ORDER BY revision, seq LIMIT 1");
    return row && fromUtf8(blob(row.key));
  }

  /** What waits of the revisions `(after, upTo]`. */
  totals(after: number, upTo: number): OutboxTotals {
    return this.#totals("revision > ? AND revision <= ?", after, upTo);
  }

  /** Gives what was removed. */
  removeTo(place: LogPlace): OutboxTotals {
    const { revision, seq } = place;
    const removed = this.#totals("(revision, seq) <= (?, ?)", revision, seq);
    if (removed.entries > 0) {
      this.#sql.run("DELETE FROM outbox WHERE (revision, seq) <= (?, ?)", revision, seq);
    }
    return removed;
  }

  /** What the storage must have where it has carried out all up to this place: the last value that waits there, does not end and was not replaced before it. */
  lastValue({
    revision,
    seq,
  }: LogPlace): { readonly key: string; readonly version: number; readonly atMs: number } | undefined {
    const [row] = this.#sql.all(
      "SELECT key, version, at FROM outbox AS one WHERE (revision, seq) <= (?, ?) AND version > 0 AND expires_at IS NULL AND NOT EXISTS (SELECT 1 FROM outbox WHERE key = one.key AND (revision, seq) > (one.revision, one.seq) AND (revision, seq) <= (?, ?)) ORDER BY revision DESC, seq DESC LIMIT 1",
      revision,
      seq,
      revision,
      seq,
    );
    if (row === undefined) return undefined;
    return { key: fromUtf8(blob(row.key)), version: row.version as number, atMs: row.at as number };
  }

  /** The oldest entries up to a revision. One revision is cut in two only where it has no room by itself. */
  page(upTo: number, limits: CutLimits): OutboxPage {
    const cut = new Cut(limits);
    const rows = this.#sql.all(
      "SELECT revision, seq, key, at, version, expires_at, content_type, tags, length(value) AS size FROM outbox WHERE revision <= ? ORDER BY revision, seq LIMIT ?",
      upTo,
      limits.changes + 1,
    );
    for (const row of rows) {
      if (!cut.hasRoom(Number(row.size ?? 0))) break;
      if (!cut.take(this.#change(row))) break;
    }
    const { changes } = cut;
    const beyond = rows[changes.length]?.revision as number | undefined;
    const last = changes.at(-1)?.revision ?? 0;
    if (beyond !== last) return { changes, wholeTo: last };
    const whole = changes.filter(({ revision }) => revision < last);
    return whole.length > 0
      ? { changes: whole, wholeTo: whole.at(-1)?.revision ?? 0 }
      : { changes, wholeTo: last - 1 };
  }

  #change(row: ReturnType<Sql["all"]>[number]): BackingChange {
    const revision = row.revision as number;
    const seq = row.seq as number;
    const key = fromUtf8(blob(row.key));
    const version = row.version as number;
    if (version === 0) return { kind: "delete", revision, seq, key };
    const [stored] = this.#sql.all("SELECT value FROM outbox WHERE revision = ? AND seq = ?", revision, seq);
    const expiresAt = row.expires_at as number | null;
    return {
      kind: "put",
      revision,
      seq,
      key,
      version,
      payload: { bytes: blob(stored?.value), contentType: row.content_type as string },
      modifiedAtMs: row.at as number,
      ...(expiresAt === null ? {} : { expiresAtMs: expiresAt }),
      ...readTags(row.tags as string | null),
    };
  }

  #totals(where: string, ...bindings: number[]): OutboxTotals {
    const [row] = this.#sql.all<{ entries: number; bytes: number | null }>(
      `SELECT count(*) AS entries, sum(length(key) + ifnull(length(value), 0)) AS bytes FROM outbox WHERE ${where}`,
      ...bindings,
    );
    return { entries: row?.entries ?? 0, bytes: row?.bytes ?? 0 };
  }
}
