import type { ElectionEvent } from "../../protocol/lock.ts";
import { utf8 } from "../../runtime/bytes.ts";
import { maxElectionEvents } from "../../runtime/limits.ts";
import type { Sql, SqlRow } from "../../runtime/sql.ts";
import { endReason, payloadColumns, payloadIn, textOf } from "./rows.ts";

/** Where it is kept how far steps were removed for their age. */
export interface StepFloor {
  stepFloor: number;
}

/**
 * The steps of elections. Of each name the newest are kept, and one more that is told to nobody: its revision says how far steps were removed, without a row for
 * that alone.
 */
export class StepRows {
  readonly #sql: Sql;
  readonly #floor: StepFloor;

  constructor(sql: Sql, floor: StepFloor) {
    this.#sql = sql;
    this.#floor = floor;
  }

  get any(): boolean {
    return this.#sql.all("SELECT 1 FROM lock_steps LIMIT 1").length > 0;
  }

  add(name: string, event: ElectionEvent, atMs: number): void {
    const bytes = utf8(name);
    this.#sql.run(
      "INSERT INTO lock_steps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      bytes,
      event.revision,
      Math.floor(atMs),
      event.kind,
      utf8(event.owner),
      event.fence,
      ...payloadColumns(event.value),
      event.reason ?? null,
    );
    const removed = this.#newestRemoved(bytes);
    if (removed > 0) this.#sql.run("DELETE FROM lock_steps WHERE name = ? AND revision < ?", bytes, removed);
  }

  /** See `LockStore.events`. */
  after(name: string, after: number): { readonly events: readonly ElectionEvent[]; readonly floor: number } {
    const bytes = utf8(name);
    const removed = this.#newestRemoved(bytes);
    const rows = this.#sql.all(
      "SELECT * FROM lock_steps WHERE name = ? AND revision > ? ORDER BY revision",
      bytes,
      Math.max(after, removed),
    );
    return { events: rows.map(stepIn), floor: Math.max(removed, this.#floor.stepFloor) };
  }

  /** Removes old steps of elections without a live grant; gives how many. */
  collect(beforeMs: number, limit: number): number {
    if (limit <= 0) return 0;
    const rows = this.#sql.all(
      "SELECT name, revision FROM lock_steps AS step WHERE at < ? AND NOT EXISTS (SELECT 1 FROM locks WHERE name = step.name AND ended_at IS NULL) LIMIT ?",
      Math.floor(beforeMs),
      limit,
    );
    let newest = 0;
    for (const { name, revision } of rows) {
      this.#sql.run("DELETE FROM lock_steps WHERE name = ? AND revision = ?", name ?? null, Number(revision));
      newest = Math.max(newest, Number(revision));
    }
    if (newest > this.#floor.stepFloor) this.#floor.stepFloor = newest;
    return rows.length;
  }

  /** The revision of the step that nobody is told any more; 0: all that ever were are there. */
  #newestRemoved(name: Uint8Array): number {
    const [row] = this.#sql.all(
      `SELECT revision FROM lock_steps WHERE name = ? ORDER BY revision DESC LIMIT 1 OFFSET ${maxElectionEvents}`,
      name,
    );
    return row === undefined ? 0 : Number(row.revision);
  }
}

function stepIn(row: SqlRow): ElectionEvent {
  const value = payloadIn(row);
  return {
    revision: Number(row.revision),
    kind: String(row.kind) as ElectionEvent["kind"],
    owner: textOf(row, "owner"),
    fence: Number(row.fence),
    ...(value !== undefined && { value }),
    ...(row.reason !== null && { reason: endReason(row.reason) }),
  };
}
