import type { GrantEnd, LockAges, LockGrant, LockUsage } from "../../locking/lock-store.ts";
import type { LockKind } from "../../protocol/lock.ts";
import { utf8 } from "../../runtime/bytes.ts";
import type { Sql, SqlRow, SqlValue } from "../../runtime/sql.ts";
import type { ElapsedDeadlines } from "./elapsed-deadlines.ts";
import { endReason, limitTo, optionalText, payloadColumns, termsIn, textOf } from "./rows.ts";

/** Deadlines that elapsed time has put off by less are left as they are: they will have come in a moment. */
const worthWritingMs = 1_000;

/** The grants of a shard: live ones, and those that ended not long ago. */
export class GrantRows {
  readonly #sql: Sql;
  readonly #deadlines: ElapsedDeadlines;
  #live: number | undefined;

  constructor(sql: Sql, deadlines: ElapsedDeadlines) {
    this.#sql = sql;
    this.#deadlines = deadlines;
  }

  /** How many are live. Counted once when first asked for, then kept up. */
  get live(): number {
    this.#live ??= Number(
      this.#sql.all<{ n: number }>("SELECT count(*) AS n FROM locks WHERE ended_at IS NULL")[0]?.n ?? 0,
    );
    return this.#live;
  }

  usage(name: string): LockUsage | undefined {
    // Kind and permits come from the row of the highest fence: SQLite says so for max().
    const [row] = this.#sql.all(
      "SELECT count(*) AS grants, sum(take) AS taken, max(fence) AS fence, kind, permits FROM locks WHERE name = ? AND ended_at IS NULL",
      utf8(name),
    );
    if (row === undefined || Number(row.grants) === 0) return undefined;
    return {
      kind: String(row.kind) as LockKind,
      permits: Number(row.permits),
      grants: Number(row.grants),
      taken: Number(row.taken),
      fence: Number(row.fence),
    };
  }

  of(name: string, limit: number): LockGrant[] {
    return this.#all(`name = ? AND ended_at IS NULL ORDER BY fence ${limitTo(limit)}`, utf8(name));
  }

  get(fence: number): LockGrant | undefined {
    return this.#told(this.#all("fence = ?", fence)[0]);
  }

  ofTicket(ticket: string): LockGrant | undefined {
    return this.#told(this.#all("ticket = ? ORDER BY fence DESC LIMIT 1", ticket)[0]);
  }

  ofSession(session: string): LockGrant[] {
    return this.#all("session = ? AND ended_at IS NULL ORDER BY fence", session);
  }

  lastForced(name: string): LockGrant | undefined {
    return this.#all("name = ? AND reason = 'forced' ORDER BY fence DESC LIMIT 1", utf8(name))[0];
  }

  put(grant: LockGrant): void {
    const [before] = this.#sql.all("SELECT ended_at FROM locks WHERE fence = ?", grant.fence);
    if (this.#live !== undefined) {
      const was = before !== undefined && before.ended_at === null ? 1 : 0;
      this.#live += (grant.ended === undefined ? 1 : 0) - was;
    }
    if (grant.ended === undefined) this.#deadlines.set(grant.fence, grant.deadlineMs);
    else this.#deadlines.end(grant.fence);
    if (before === undefined) this.#insert(grant);
    else if (grant.ended === undefined) this.#change(grant);
    else this.#end(grant);
  }

  sessions(): string[] {
    const rows = this.#sql.all(
      "SELECT DISTINCT session FROM locks WHERE session IS NOT NULL AND ended_at IS NULL",
    );
    return rows.map(({ session }) => String(session));
  }

  /** The earliest deadline of all. */
  nextMs(): number | undefined {
    const [row] = this.#sql.all(
      "SELECT fence, deadline FROM locks WHERE ended_at IS NULL ORDER BY deadline LIMIT 1",
    );
    if (row === undefined) return undefined;
    return Math.ceil(this.#deadlines.of(Number(row.fence), Number(row.deadline)));
  }

  /** Live grants whose deadline has come by the wall clock and by elapsed time. What the wall clock says too early is put right. */
  due(nowMs: number, limit: number): { name: string; fence: number; atMs: number }[] {
    for (;;) {
      const rows = this.#sql.all(
        "SELECT fence, name, deadline FROM locks WHERE ended_at IS NULL AND deadline <= ? ORDER BY deadline LIMIT ?",
        nowMs,
        limit,
      );
      let moved = false;
      const due = rows.flatMap((row) => {
        const fence = Number(row.fence);
        const atMs = this.#deadlines.of(fence, Number(row.deadline));
        if (atMs <= nowMs) return [{ name: textOf(row, "name"), fence, atMs }];
        if (atMs - nowMs >= worthWritingMs) {
          this.#sql.run("UPDATE locks SET deadline = ? WHERE fence = ?", Math.ceil(atMs), fence);
          moved = true;
        }
        return [];
      });
      if (!moved || rows.length < limit) return due;
    }
  }

  putOff(byMs: number): void {
    this.#sql.run("UPDATE locks SET deadline = deadline + ? WHERE ended_at IS NULL", byMs);
  }

  /** When the oldest of those that have ended did so; of forced ones only where no other has. */
  oldestEnd(): { readonly atMs: number; readonly forced: boolean } | undefined {
    const [plain] = this.#sql.all(
      "SELECT ended_at FROM locks WHERE ended_at IS NOT NULL AND reason <> 'forced' ORDER BY ended_at LIMIT 1",
    );
    if (plain !== undefined) return { atMs: Number(plain.ended_at), forced: false };
    const [forced] = this.#sql.all(
      "SELECT ended_at FROM locks WHERE reason = 'forced' ORDER BY ended_at LIMIT 1",
    );
    return forced === undefined ? undefined : { atMs: Number(forced.ended_at), forced: true };
  }

  /** Removes ended ones that are old; gives how many. */
  collect({ endedBeforeMs, forcedBeforeMs }: LockAges, limit: number): number {
    const plain = this.#remove("ended_at IS NOT NULL AND reason <> 'forced'", endedBeforeMs, limit);
    return plain + this.#remove("reason = 'forced'", forcedBeforeMs, limit - plain);
  }

  #remove(which: string, beforeMs: number, limit: number): number {
    const old = `FROM locks WHERE ${which} AND ended_at < ? ORDER BY ended_at LIMIT ?`;
    const found = this.#sql.all(`SELECT fence ${old}`, Math.floor(beforeMs), limit).length;
    if (found > 0) {
      const fences = `SELECT fence ${old}`;
      this.#sql.run(`DELETE FROM locks WHERE fence IN (${fences})`, Math.floor(beforeMs), limit);
    }
    return found;
  }

  #all(where: string, ...bindings: SqlValue[]): LockGrant[] {
    return this.#sql.all(`SELECT * FROM locks WHERE ${where}`, ...bindings).map((row) => this.#grantIn(row));
  }

  /** What its owner is told of its time comes true, though that was counted by a wall clock that had been set back and is set right again. */
  #told(grant: LockGrant | undefined): LockGrant | undefined {
    if (grant !== undefined && grant.ended === undefined) this.#deadlines.set(grant.fence, grant.deadlineMs);
    return grant;
  }

  #grantIn(row: SqlRow): LockGrant {
    const fence = Number(row.fence);
    const deadlineMs = Number(row.deadline);
    return {
      ...termsIn(row),
      fence,
      count: Number(row.count),
      deadlineMs: row.ended_at === null ? this.#deadlines.of(fence, deadlineMs) : deadlineMs,
      ticket: optionalText(row.ticket),
      offered: Number(row.offered) === 1,
      ended: endIn(row),
    };
  }

  #insert(grant: LockGrant): void {
    const { ended, deadlineMs, session, ticket } = grant;
    this.#sql.run(
      "INSERT INTO locks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      grant.fence,
      utf8(grant.name),
      utf8(grant.owner),
      grant.kind,
      grant.permits,
      grant.take,
      grant.count,
      grant.ttlMs,
      Math.ceil(deadlineMs),
      ticket ?? null,
      grant.offered ? 1 : 0,
      grant.delayMs,
      ...payloadColumns(grant.value),
      session ?? null,
      grant.endsWithSession ? 1 : 0,
      ended === undefined ? null : Math.floor(ended.atMs),
      ended?.reason ?? null,
      ended?.by === undefined ? null : utf8(ended.by),
      ended?.fence ?? null,
    );
  }

  /** Only what may become different of a live grant, so that no index is touched for nothing. */
  #change(grant: LockGrant): void {
    this.#sql.run(
      "UPDATE locks SET count = ?, ttl = ?, deadline = ?, offered = ?, value = ?, value_type = ?, session = ? WHERE fence = ?",
      grant.count,
      grant.ttlMs,
      Math.ceil(grant.deadlineMs),
      grant.offered ? 1 : 0,
      ...payloadColumns(grant.value),
      grant.session ?? null,
      grant.fence,
    );
  }

  #end({ fence, ended, value }: LockGrant): void {
    this.#sql.run(
      "UPDATE locks SET value = ?, value_type = ?, ended_at = ?, reason = ?, forced_by = ?, forced_fence = ? WHERE fence = ?",
      ...payloadColumns(value),
      ended === undefined ? null : Math.floor(ended.atMs),
      ended?.reason ?? null,
      ended?.by === undefined ? null : utf8(ended.by),
      ended?.fence ?? null,
      fence,
    );
  }
}

function endIn(row: SqlRow): GrantEnd | undefined {
  if (row.ended_at === null) return undefined;
  const end = { atMs: Number(row.ended_at), reason: endReason(row.reason) };
  if (row.forced_by === null) return end;
  return { ...end, by: textOf(row, "forced_by"), fence: Number(row.forced_fence) };
}
