import type { ElectionEvent } from "../../protocol/lock.ts";
import { utf8 } from "../../runtime/bytes.ts";
import { maxElectionEvents } from "../../runtime/coordination-limits.ts";
import { blob, type Sql, type SqlRow } from "../../runtime/sql.ts";
import { endReason, payloadColumns, payloadIn, textOf } from "./rows.ts";

/** Where it is kept how far steps were removed for their age. */
export interface StepFloor {
  stepFloor: number;
}

/** Stands for the newest step of a name that was removed, told to nobody. */
const removedKind = "removed";

/**
 * The steps of elections. Of each name the newest are kept, and one row more, which says how far others were removed. Of a name without any rows the floor of all names
 * says it.
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
    // The name may have had steps before that were removed with everything else of it.
    const floor = this.#floorOf(bytes);
    if (floor > 0) this.#mark(bytes, floor, atMs);
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
    const events = rows.filter(({ kind }) => kind !== removedKind).map(stepIn);
    return { events, floor: removed > 0 || events.length > 0 ? removed : this.#floorOf(bytes) };
  }

  /** Removes old steps of elections without a live grant; gives how many. */
  collect(beforeMs: number, limit: number): number {
    if (limit <= 0) return 0;
    const rows = this.#sql.all(
      `SELECT name, revision FROM lock_steps AS step WHERE at < ? AND kind <> '${removedKind}' AND NOT EXISTS (SELECT 1 FROM locks WHERE name = step.name AND ended_at IS NULL) ORDER BY name, revision LIMIT ?`,
      Math.floor(beforeMs),
      limit,
    );
    const newest = new Map<string, { readonly name: Uint8Array; readonly revision: number }>();
    for (const row of rows) {
      newest.set(textOf(row, "name"), { name: blob(row.name), revision: Number(row.revision) });
    }
    for (const { name, revision } of newest.values()) this.#remove(name, revision);
    return rows.length;
  }

  #remove(name: Uint8Array, upTo: number): void {
    this.#sql.run("DELETE FROM lock_steps WHERE name = ? AND revision < ?", name, upTo);
    const hasMore =
      this.#sql.all("SELECT 1 FROM lock_steps WHERE name = ? AND revision > ? LIMIT 1", name, upTo).length >
      0;
    if (hasMore) {
      this.#sql.run(
        `UPDATE lock_steps SET kind = '${removedKind}', value = NULL, value_type = NULL WHERE name = ? AND revision = ?`,
        name,
        upTo,
      );
      return;
    }
    this.#sql.run("DELETE FROM lock_steps WHERE name = ? AND revision = ?", name, upTo);
    if (upTo > this.#floor.stepFloor) this.#floor.stepFloor = upTo;
  }

  #mark(name: Uint8Array, removed: number, atMs: number): void {
    this.#sql.run(
      `INSERT INTO lock_steps VALUES (?, ?, ?, '${removedKind}', ?, 0, NULL, NULL, NULL)`,
      name,
      removed,
      Math.floor(atMs),
      utf8(""),
    );
  }

  /** How far steps of a name may have been removed of which none is told after some revision. */
  #floorOf(name: Uint8Array): number {
    const known = this.#sql.all("SELECT 1 FROM lock_steps WHERE name = ? LIMIT 1", name).length > 0;
    return known ? 0 : this.#floor.stepFloor;
  }

  /** The newest step of a name that is told to nobody any more; 0: all that ever were are there. */
  #newestRemoved(name: Uint8Array): number {
    const [row] = this.#sql.all(
      `SELECT revision FROM lock_steps WHERE name = ?1 AND (kind = '${removedKind}' OR revision <= (SELECT revision FROM lock_steps WHERE name = ?1 ORDER BY revision DESC LIMIT 1 OFFSET ${maxElectionEvents})) ORDER BY revision DESC LIMIT 1`,
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
