import type { Payload } from "../protocol/payload.ts";
import { minLogValueAgeMs } from "../runtime/limits.ts";
import type { Sql } from "../runtime/sql.ts";

/** The last columns of an entry: the bytes of all values up to it, and its own. */
export type ValueColumns = readonly [total: number, contentType: string | null, value: Uint8Array | null];

/**
 * The values that log entries carry: a superseded one is nowhere else, and who watches shall miss none. They are bounded by their bytes; the oldest go
 * first, and their entries stay. Each entry has the sum of all before it, so nothing needs to be counted, also when what was written last is undone.
 */
export class LogValues {
  readonly #sql: Sql;
  readonly #marks: { valueFloor: number };
  /** The bytes of all values that there ever were, and of those that have gone. */
  #total = 0;
  #gone = 0;

  constructor(sql: Sql, marks: { valueFloor: number }) {
    this.#sql = sql;
    this.#marks = marks;
    const [newest] = sql.all<{ total: number }>(
      "SELECT total FROM log ORDER BY revision DESC, seq DESC LIMIT 1",
    );
    this.#total = newest?.total ?? 0;
    this.measure();
  }

  /** What an entry at the end of the log has; values of more than `maxBytes` are left out, and whoever watches has to read the key. */
  add(payload: Payload | undefined, maxBytes: number): ValueColumns {
    if (payload === undefined || payload.bytes.length > maxBytes) {
      return [this.#total, payload?.contentType ?? null, null];
    }
    this.#total += payload.bytes.length;
    return [this.#total, payload.contentType, payload.bytes];
  }

  /** Finds again how much has gone: entries were removed. */
  measure(): void {
    const [oldest] = this.#sql.all<{ total: number; size: number | null }>(
      "SELECT total, length(value) AS size FROM log WHERE revision > ? ORDER BY revision, seq LIMIT 1",
      this.#marks.valueFloor,
    );
    this.#gone = oldest === undefined ? this.#total : oldest.total - (oldest.size ?? 0);
  }

  /**
   * Takes the values of at most about `chunk` of the oldest entries that are beyond `maxBytes`. A value stays a minute, so that whoever was cut off for
   * a moment finds it, unless there is twice as much as there may be.
   */
  trim(maxBytes: number, nowMs: number, chunk: number): void {
    if (this.#total - this.#gone <= maxBytes) return;
    const floor = this.#marks.valueFloor;
    const oldest = this.#sql.all<{ revision: number; at: number; total: number }>(
      "SELECT revision, at, total FROM log WHERE revision > ? ORDER BY revision, seq LIMIT ?",
      floor,
      chunk,
    );
    let [upTo, gone] = [floor, this.#gone];
    for (const { revision, at, total } of oldest) {
      const kept = this.#total - gone;
      if (
        revision !== upTo &&
        (kept <= maxBytes || (nowMs - at < minLogValueAgeMs && kept <= 2 * maxBytes))
      ) {
        break;
      }
      [upTo, gone] = [revision, total];
    }
    if (upTo === floor) return;
    this.#sql.run(
      "UPDATE log SET value = NULL WHERE revision > ? AND revision <= ? AND value IS NOT NULL",
      floor,
      upTo,
    );
    this.#marks.valueFloor = upTo;
    this.measure();
  }
}
