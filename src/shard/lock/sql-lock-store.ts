import type {
  LockAges,
  LockDue,
  LockGrant,
  LockStore,
  LockUsage,
  LockWaiter,
} from "../../locking/lock-store.ts";
import type { ElectionEvent } from "../../protocol/lock.ts";
import { compareBytes, fromUtf8, utf8 } from "../../runtime/bytes.ts";
import { blob, type Sql } from "../../runtime/sql.ts";
import { prefixEnd } from "../key-table.ts";
import type { ElapsedDeadlines } from "./elapsed-deadlines.ts";
import { GrantRows } from "./grant-rows.ts";
import { type StepFloor, StepRows } from "./step-rows.ts";
import { WaiterRows } from "./waiter-rows.ts";

/** What a {@link SqlLockStore} is made of. */
export interface SqlLockStoreParts {
  readonly sql: Sql;
  /** Takes the next revision of the log. */
  readonly reserve: () => number;
  readonly floor: StepFloor;
  readonly deadlines: ElapsedDeadlines;
}

/** The rows of a lock table in a shard's database, each call inside a transaction of its caller. */
export class SqlLockStore implements LockStore {
  readonly reserve: () => number;
  readonly #sql: Sql;
  readonly #grants: GrantRows;
  readonly #waiters: WaiterRows;
  readonly #steps: StepRows;
  /** `at` undefined: nothing will be due. Found out again after each change. */
  #next: { readonly atMs: number | undefined } | undefined;
  /** What {@link collectMs} has found. What is added makes nothing older. */
  #oldest: { readonly end: ReturnType<GrantRows["oldestEnd"]>; readonly steps: boolean } | undefined;

  constructor({ sql, reserve, floor, deadlines }: SqlLockStoreParts) {
    this.reserve = reserve;
    this.#sql = sql;
    this.#grants = new GrantRows(sql, deadlines);
    this.#waiters = new WaiterRows(sql);
    this.#steps = new StepRows(sql, floor);
  }

  usage(name: string): LockUsage | undefined {
    return this.#grants.usage(name);
  }

  live(name: string, limit: number): readonly LockGrant[] {
    return this.#grants.of(name, limit);
  }

  grant(fence: number): LockGrant | undefined {
    return this.#grants.get(fence);
  }

  grantOf(ticket: string): LockGrant | undefined {
    return this.#grants.ofTicket(ticket);
  }

  putGrant(grant: LockGrant): void {
    this.#next = undefined;
    if (grant.ended !== undefined && this.#oldest?.end?.forced !== false) this.#oldest = undefined;
    this.#grants.put(grant);
  }

  lastForced(name: string): LockGrant | undefined {
    return this.#grants.lastForced(name);
  }

  get liveGrants(): number {
    return this.#grants.live;
  }

  queue(name: string, after: number, limit: number): readonly LockWaiter[] {
    return this.#waiters.queue(name, after, limit);
  }

  countWaiters(name: string, before?: number): number {
    return this.#waiters.count(name, before);
  }

  waiter(ticket: string): LockWaiter | undefined {
    return this.#waiters.get(ticket);
  }

  putWaiter(waiter: LockWaiter): void {
    this.#next = undefined;
    this.#waiters.put(waiter);
  }

  removeWaiter(ticket: string): void {
    this.#next = undefined;
    this.#waiters.remove(ticket);
  }

  get waiters(): number {
    return this.#waiters.all;
  }

  delayOf(name: string): number | undefined {
    const [row] = this.#sql.all("SELECT until FROM lock_delays WHERE name = ?", utf8(name));
    return row === undefined ? undefined : Number(row.until);
  }

  setDelay(name: string, untilMs: number | undefined): void {
    this.#next = undefined;
    if (untilMs === undefined) this.#sql.run("DELETE FROM lock_delays WHERE name = ?", utf8(name));
    else {
      this.#sql.run("INSERT OR REPLACE INTO lock_delays VALUES (?, ?)", utf8(name), Math.ceil(untilMs));
    }
  }

  ofSession(session: string): { readonly grants: LockGrant[]; readonly waiters: LockWaiter[] } {
    return { grants: this.#grants.ofSession(session), waiters: this.#waiters.ofSession(session) };
  }

  sessions(): readonly string[] {
    return [...new Set([...this.#grants.sessions(), ...this.#waiters.sessions()])];
  }

  due(nowMs: number, limit: number): readonly LockDue[] {
    // Asked by every commit of the shard, most of which have nothing to do with locks.
    if (nowMs < (this.nextDueMs() ?? Number.POSITIVE_INFINITY)) return [];
    this.#next = undefined;
    const delays = this.#sql
      .all("SELECT name, until FROM lock_delays WHERE until <= ? ORDER BY until LIMIT ?", nowMs, limit)
      .map((row) => ({ what: "delay" as const, name: fromUtf8(blob(row.name)), atMs: Number(row.until) }));
    const all = [
      ...this.#grants.due(nowMs, limit).map((one) => ({ what: "grant" as const, ...one })),
      ...this.#waiters.due(nowMs, limit).map((one) => ({ what: "waiter" as const, ...one })),
      ...delays,
    ];
    all.sort((one, other) => one.atMs - other.atMs);
    return all.slice(0, limit).map(({ atMs: _, ...due }): LockDue => due);
  }

  nextDueMs(): number | undefined {
    if (this.#next === undefined) {
      const [delay] = this.#sql.all("SELECT until FROM lock_delays ORDER BY until LIMIT 1");
      const times = [this.#grants.nextMs(), this.#waiters.nextMs(), delay && Number(delay.until)];
      const known = times.filter((atMs) => atMs !== undefined);
      this.#next = { atMs: known.length === 0 ? undefined : Math.min(...known) };
    }
    return this.#next.atMs;
  }

  putOff(byMs: number): void {
    this.#next = undefined;
    this.#grants.putOff(byMs);
    this.#waiters.putOff(byMs);
    this.#sql.run("UPDATE lock_delays SET until = until + ?", byMs);
  }

  /** When the next rows may go that {@link collect} removes; `stepsMs`: when to look for old steps again, if there are any. */
  collectMs(endedMs: number, forcedMs: number, stepsMs: number): number | undefined {
    this.#oldest ??= { end: this.#grants.oldestEnd(), steps: this.#steps.any };
    const { end, steps } = this.#oldest;
    const ends = end === undefined ? [] : [end.atMs + (end.forced ? forcedMs : endedMs)];
    const times = steps ? [...ends, stepsMs] : ends;
    return times.length === 0 ? undefined : Math.min(...times);
  }

  collect(ages: LockAges, limit: number): boolean {
    this.#oldest = undefined;
    const grants = this.#grants.collect(ages, limit);
    return grants + this.#steps.collect(ages.stepsBeforeMs, limit - grants) >= limit;
  }

  names(prefix: string, after: string | undefined, limit: number): readonly string[] {
    const start = utf8(prefix);
    const end = prefixEnd(start);
    const last = after === undefined ? undefined : utf8(after);
    // One lower bound only, the larger one: with two, SQLite would walk from the prefix's start for each page.
    const resumes = last !== undefined && compareBytes(last, start) >= 0;
    const range = `name ${resumes ? ">" : ">="} ?1 ${end === undefined ? "" : "AND name < ?3"}`;
    const bindings = [resumes ? last : start, limit, ...(end === undefined ? [] : [end])];
    const rows = this.#sql.all(
      `SELECT name FROM (SELECT DISTINCT name FROM locks WHERE ended_at IS NULL AND ${range} ORDER BY name LIMIT ?2) UNION SELECT name FROM (SELECT DISTINCT name FROM lock_waiters WHERE ${range} ORDER BY name LIMIT ?2) UNION SELECT name FROM (SELECT name FROM lock_delays WHERE ${range} ORDER BY name LIMIT ?2) ORDER BY name LIMIT ?2`,
      ...bindings,
    );
    return rows.map((row) => fromUtf8(blob(row.name)));
  }

  addEvent(name: string, event: ElectionEvent, atMs: number): void {
    if (this.#oldest?.steps === false) this.#oldest = undefined;
    this.#steps.add(name, event, atMs);
  }

  events(name: string, after: number): ReturnType<LockStore["events"]> {
    return this.#steps.after(name, after);
  }
}
