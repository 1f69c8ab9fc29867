import type { LeaseEndAction } from "../../protocol/lease.ts";
import type { Clock } from "../../runtime/clock.ts";
import { clockStepMs } from "../../runtime/coordination-limits.ts";
import type { Sql } from "../../runtime/sql.ts";

/** A lease whose home this shard is. Times are Unix ms. */
export interface LeaseRow {
  readonly id: string;
  readonly ttlMs: number;
  readonly onEnd: LeaseEndAction;
  readonly grantedAtMs: number;
  readonly deadlineMs: number;
  /** It ends then at the latest; undefined: there is no such time. */
  readonly lifeUntilMs: number | undefined;
  /** Since when it has ended, while that is still being carried out; undefined: it is live. */
  readonly endedAtMs: number | undefined;
}

type Columns = {
  id: string;
  ttl_ms: number;
  on_end: LeaseEndAction;
  granted_at: number;
  deadline: number;
  life_until: number | null;
  ended_at: number | null;
};

const columns = "id, ttl_ms, on_end, granted_at, deadline, life_until, ended_at";
/** Rows that are looked at for the next time that one is due. */
const measured = 200;

/**
 * The leases whose home this shard is, and the shards that may have keys of them. None counts as due early: one that this instance wrote is due when the wall clock
 * and the elapsed clock both say so; one from before is due ε later (assumption A2), since the clock that it was written by may have been ahead.
 */
export class LeaseTable {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #elapsed: Clock;
  /** Deadlines by the elapsed clock, of leases that this instance granted or kept alive. */
  readonly times: Map<string, number>;
  /** No lease is due before it; "unknown": not looked for yet. */
  #nextMs: number | undefined | "unknown" = "unknown";
  /** Rows, or a little more; undefined: not counted. */
  #count: number | undefined;
  #isAnyEnded: boolean;

  /**
   * `before`: the one that this takes the place of, whose knowledge stands. `times` is what the instance knows of time, and outlives the table: a commit that is undone must
   * cost no lease its time.
   */
  constructor(
    sql: Sql,
    clock: Clock,
    elapsed: Clock,
    before?: LeaseTable,
    times: Map<string, number> = before?.times ?? new Map(),
  ) {
    this.#sql = sql;
    this.#clock = clock;
    this.#elapsed = elapsed;
    this.times = times;
    if (before !== undefined) {
      this.#nextMs = before.#nextMs;
      this.#count = before.#count;
    }
    this.#isAnyEnded = sql.all("SELECT 1 FROM leases WHERE ended_at IS NOT NULL LIMIT 1").length > 0;
  }

  get(id: string): LeaseRow | undefined {
    return this.#rows("id = ?", id)[0];
  }

  /** Whether the lease may be used at `nowMs`. */
  isLive(row: LeaseRow | undefined, nowMs: number): row is LeaseRow {
    return row !== undefined && row.endedAtMs === undefined && !this.#isDue(row, nowMs);
  }

  /** What is left of a lease that has not ended, in whole ms. */
  leftMs({ id, deadlineMs }: LeaseRow, nowMs: number): number {
    const own = this.times.get(id);
    const leftMs = own === undefined ? deadlineMs - nowMs : own - this.#elapsed.now();
    return Math.max(0, Math.floor(leftMs));
  }

  /** Whether there is room for one more. */
  hasRoom(max: number): boolean {
    if (this.#count === undefined || this.#count >= max) {
      const [row] = this.#sql.all<{ count: number }>("SELECT count(*) AS count FROM leases");
      this.#count = row?.count ?? 0;
    }
    return this.#count < max;
  }

  /** `forMs`: how long it lives from now on. */
  add(row: LeaseRow, forMs: number): void {
    this.#sql.run(
      "INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?, NULL, NULL)",
      row.id,
      row.ttlMs,
      row.onEnd,
      row.grantedAtMs,
      row.deadlineMs,
      row.lifeUntilMs ?? null,
    );
    if (this.#count !== undefined) this.#count++;
    this.#noteDeadline(row.id, row.deadlineMs, forMs);
  }

  /** Moves the deadline, which is `forMs` from now. */
  renew(id: string, deadlineMs: number, forMs: number): void {
    this.#sql.run("UPDATE leases SET deadline = ? WHERE id = ?", deadlineMs, id);
    this.#noteDeadline(id, deadlineMs, forMs);
  }

  /** It has ended; `opId`: by this revoke. Its row stays until {@link remove}. */
  end(id: string, atMs: number, opId: string | undefined): void {
    this.#sql.run(
      "UPDATE leases SET ended_at = ?, ended_by = ? WHERE id = ?",
      Math.floor(atMs),
      opId ?? null,
      id,
    );
    this.#isAnyEnded = true;
    this.#nextMs = "unknown";
  }

  remove(id: string): void {
    this.#sql.run("DELETE FROM lease_members WHERE id = ?", id);
    this.#sql.run("DELETE FROM leases WHERE id = ?", id);
    // Not with its end: that may be undone.
    this.times.delete(id);
    this.#isAnyEnded = this.ended(1).length > 0;
  }

  /** The shards that may have keys of it, in order. */
  members(id: string): number[] {
    return this.#sql
      .all<{ shard: number }>("SELECT shard FROM lease_members WHERE id = ? ORDER BY shard", id)
      .map(({ shard }) => shard);
  }

  addMember(id: string, shard: number): void {
    this.#sql.run("INSERT OR IGNORE INTO lease_members VALUES (?, ?)", id, shard);
  }

  removeMember(id: string, shard: number): void {
    this.#sql.run("DELETE FROM lease_members WHERE id = ? AND shard = ?", id, shard);
  }

  /** At most `limit` leases whose time is over. */
  due(nowMs: number, limit: number): LeaseRow[] {
    const next = this.nextMs;
    if (next === undefined || next > nowMs) return [];
    const rows = this.#rows("ended_at IS NULL AND deadline <= ? ORDER BY deadline LIMIT ?", nowMs, limit);
    this.#nextMs = "unknown";
    return rows.filter((row) => this.#isDue(row, nowMs));
  }

  /** When the next lease is due (Unix ms), as far as can be said now; undefined: none. */
  get nextMs(): number | undefined {
    if (this.#nextMs === "unknown") this.#nextMs = this.#measure();
    return this.#nextMs;
  }

  /** Whether ends are being carried out. */
  get isAnyEnded(): boolean {
    return this.#isAnyEnded;
  }

  /** At most `limit` leases that have ended, the oldest end first. */
  ended(limit: number): LeaseRow[] {
    return this.#rows("ended_at IS NOT NULL ORDER BY ended_at LIMIT ?", limit);
  }

  /** Whether the end that this operation began is being carried out. */
  isEndedBy(opId: string): boolean {
    if (!this.#isAnyEnded) return false;
    return this.#rows("ended_at IS NOT NULL AND ended_by = ? LIMIT 1", opId).length > 0;
  }

  /** At most `limit` leases that have not ended, after the id `after`, in order of their ids. */
  list(after: string, limit: number): LeaseRow[] {
    return this.#rows("ended_at IS NULL AND id > ? ORDER BY id LIMIT ?", after, limit);
  }

  #noteDeadline(id: string, deadlineMs: number, forMs: number): void {
    this.times.set(id, this.#elapsed.now() + forMs);
    if (this.#nextMs === undefined || (this.#nextMs !== "unknown" && deadlineMs < this.#nextMs)) {
      this.#nextMs = deadlineMs;
    }
  }

  #isDue(row: LeaseRow, nowMs: number): boolean {
    const own = this.times.get(row.id);
    if (own === undefined) return nowMs >= row.deadlineMs + clockStepMs;
    return nowMs >= row.deadlineMs && this.#elapsed.now() >= own;
  }

  /** When {@link #isDue} will say so, unless the wall clock is set. */
  #dueMs({ id, deadlineMs }: Pick<LeaseRow, "id" | "deadlineMs">): number {
    const own = this.times.get(id);
    if (own === undefined) return deadlineMs + clockStepMs;
    return Math.max(deadlineMs, this.#clock.now() + (own - this.#elapsed.now()));
  }

  #measure(): number | undefined {
    let next: number | undefined;
    for (const row of this.#rows("ended_at IS NULL ORDER BY deadline LIMIT ?", measured)) {
      if (next !== undefined && row.deadlineMs >= next) break;
      const dueMs = this.#dueMs(row);
      if (next === undefined || dueMs < next) next = dueMs;
    }
    return next === undefined ? undefined : Math.ceil(next);
  }

  #rows(where: string, ...bindings: Parameters<Sql["run"]>[1][]): LeaseRow[] {
    return this.#sql.all<Columns>(`SELECT ${columns} FROM leases WHERE ${where}`, ...bindings).map((row) => ({
      id: row.id,
      ttlMs: row.ttl_ms,
      onEnd: row.on_end,
      grantedAtMs: row.granted_at,
      deadlineMs: row.deadline,
      lifeUntilMs: row.life_until ?? undefined,
      endedAtMs: row.ended_at ?? undefined,
    }));
  }
}
