import type { LockWaiter } from "../../locking/lock-store.ts";
import { utf8 } from "../../runtime/bytes.ts";
import type { Sql, SqlRow, SqlValue } from "../../runtime/sql.ts";
import { limitTo, optionalText, payloadColumns, termsIn, textOf } from "./rows.ts";

/** The queues of a shard. */
export class WaiterRows {
  readonly #sql: Sql;
  #all: number | undefined;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** Waiters in all. Counted once when first asked for, then kept up. */
  get all(): number {
    this.#all ??= Number(this.#sql.all("SELECT count(*) AS n FROM lock_waiters")[0]?.n ?? 0);
    return this.#all;
  }

  queue(name: string, after: number, limit: number): LockWaiter[] {
    return this.#select(`name = ? AND arrived > ? ORDER BY arrived ${limitTo(limit)}`, utf8(name), after);
  }

  count(name: string, before: number | undefined): number {
    const [row] = this.#sql.all(
      "SELECT count(*) AS n FROM lock_waiters WHERE name = ? AND arrived < ?",
      utf8(name),
      before ?? Number.MAX_SAFE_INTEGER,
    );
    return Number(row?.n ?? 0);
  }

  get(ticket: string): LockWaiter | undefined {
    return this.#select("ticket = ?", ticket)[0];
  }

  ofSession(session: string): LockWaiter[] {
    return this.#select("session = ? ORDER BY arrived", session);
  }

  put(waiter: LockWaiter): void {
    const { ticket, session, liveUntilMs, waitUntilMs, dueMs } = waiter;
    const times = [Math.ceil(liveUntilMs), Math.ceil(waitUntilMs), Math.ceil(dueMs)];
    const isKnown = this.#sql.all("SELECT 1 FROM lock_waiters WHERE ticket = ?", ticket).length > 0;
    if (isKnown) {
      this.#sql.run(
        "UPDATE lock_waiters SET session = ?, live_until = ?, wait_until = ?, due = ? WHERE ticket = ?",
        session ?? null,
        ...times,
        ticket,
      );
      return;
    }
    this.#sql.run(
      "INSERT INTO lock_waiters VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      waiter.arrived,
      ticket,
      utf8(waiter.name),
      utf8(waiter.owner),
      waiter.kind,
      waiter.permits,
      waiter.take,
      waiter.ttlMs,
      waiter.delayMs,
      ...payloadColumns(waiter.value),
      session ?? null,
      waiter.endsWithSession ? 1 : 0,
      ...times,
    );
    if (this.#all !== undefined) this.#all++;
  }

  remove(ticket: string): void {
    if (this.#sql.all("SELECT 1 FROM lock_waiters WHERE ticket = ?", ticket).length === 0) return;
    this.#sql.run("DELETE FROM lock_waiters WHERE ticket = ?", ticket);
    if (this.#all !== undefined) this.#all--;
  }

  sessions(): string[] {
    const rows = this.#sql.all("SELECT DISTINCT session FROM lock_waiters WHERE session IS NOT NULL");
    return rows.map(({ session }) => String(session));
  }

  nextMs(): number | undefined {
    const [row] = this.#sql.all("SELECT due FROM lock_waiters ORDER BY due LIMIT 1");
    return row === undefined ? undefined : Number(row.due);
  }

  due(nowMs: number, limit: number): { name: string; ticket: string; atMs: number }[] {
    const rows = this.#sql.all(
      "SELECT name, ticket, due FROM lock_waiters WHERE due <= ? ORDER BY due LIMIT ?",
      nowMs,
      limit,
    );
    return rows.map((row) => ({
      name: textOf(row, "name"),
      ticket: String(row.ticket),
      atMs: Number(row.due),
    }));
  }

  putOff(byMs: number): void {
    this.#sql.run(
      "UPDATE lock_waiters SET live_until = live_until + ?1, wait_until = wait_until + ?1, due = due + ?1",
      byMs,
    );
  }

  #select(where: string, ...bindings: SqlValue[]): LockWaiter[] {
    return this.#sql.all(`SELECT * FROM lock_waiters WHERE ${where}`, ...bindings).map(waiterIn);
  }
}

function waiterIn(row: SqlRow): LockWaiter {
  return {
    ...termsIn(row),
    ticket: optionalText(row.ticket) ?? "",
    arrived: Number(row.arrived),
    liveUntilMs: Number(row.live_until),
    waitUntilMs: Number(row.wait_until),
    dueMs: Number(row.due),
  };
}
