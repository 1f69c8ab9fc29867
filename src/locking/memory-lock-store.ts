import { compareKeys } from "../protocol/key.ts";
import type { ElectionEvent } from "../protocol/lock.ts";
import { maxElectionEvents } from "../runtime/coordination-limits.ts";
import type { LockAges, LockDue, LockGrant, LockStore, LockUsage, LockWaiter } from "./lock-store.ts";

/** What there is of one name. Maps are in the order of fences and arrivals, since those only grow. */
class NameRows {
  readonly live = new Map<number, LockGrant>();
  readonly queue = new Map<string, LockWaiter>();
  delayMs: number | undefined;
  steps: { readonly event: ElectionEvent; readonly atMs: number }[] = [];
  stepFloor = 0;
  forcedFence = 0;

  get isUsed(): boolean {
    return this.live.size > 0 || this.queue.size > 0 || this.delayMs !== undefined;
  }

  get isEmpty(): boolean {
    return !this.isUsed && this.steps.length === 0 && this.forcedFence === 0;
  }
}

/** A lock table's rows on plain maps. What its owner begins is not undone: the table throws nothing. */
export class MemoryLockStore implements LockStore {
  readonly reserve: () => number;
  readonly #names = new Map<string, NameRows>();
  readonly #grants = new Map<number, LockGrant>();
  readonly #fenceOf = new Map<string, number>();
  readonly #waiters = new Map<string, LockWaiter>();
  /** Fences of ended grants, in order of their ends. */
  readonly #ended = new Set<number>();
  #liveGrants = 0;
  /** Steps up to here may have been removed for their age, with everything else that was known of the name. */
  #stepFloor = 0;
  /** Nothing is due before; undefined: to be found out. */
  #nextDueMs: number | undefined;

  /** `reserve`: the source of revisions. Default: one of its own, beginning at 1. */
  constructor(reserve?: () => number) {
    let newest = 0;
    this.reserve = reserve ?? (() => ++newest);
  }

  get liveGrants(): number {
    return this.#liveGrants;
  }

  get waiters(): number {
    return this.#waiters.size;
  }

  usage(name: string): LockUsage | undefined {
    let usage: LockUsage | undefined;
    for (const { kind, permits, take, fence } of this.#names.get(name)?.live.values() ?? []) {
      usage = { kind, permits, fence, grants: (usage?.grants ?? 0) + 1, taken: (usage?.taken ?? 0) + take };
    }
    return usage;
  }

  live(name: string, limit: number): readonly LockGrant[] {
    return [...(this.#names.get(name)?.live.values() ?? [])].slice(0, limit);
  }

  grant(fence: number): LockGrant | undefined {
    return this.#grants.get(fence);
  }

  grantOf(ticket: string): LockGrant | undefined {
    return this.#grants.get(this.#fenceOf.get(ticket) ?? 0);
  }

  putGrant(grant: LockGrant): void {
    const { name, fence, ticket, ended } = grant;
    const rows = this.#rows(name);
    const before = rows.live.get(fence);
    if (before !== undefined) this.#forgetDue(before.deadlineMs);
    this.#grants.set(fence, grant);
    if (ticket !== undefined) this.#fenceOf.set(ticket, Math.max(fence, this.#fenceOf.get(ticket) ?? 0));
    if (ended === undefined) {
      if (before === undefined) this.#liveGrants++;
      rows.live.set(fence, grant);
      this.#noteDue(grant.deadlineMs);
      return;
    }
    if (rows.live.delete(fence)) this.#liveGrants--;
    this.#ended.add(fence);
    if (ended.reason === "forced") rows.forcedFence = fence;
    this.#drop(name);
  }

  lastForced(name: string): LockGrant | undefined {
    return this.#grants.get(this.#names.get(name)?.forcedFence ?? 0);
  }

  queue(name: string, after: number, limit: number): readonly LockWaiter[] {
    const places = [...(this.#names.get(name)?.queue.values() ?? [])];
    return places.filter(({ arrived }) => arrived > after).slice(0, limit);
  }

  countWaiters(name: string, before?: number): number {
    const queue = this.#names.get(name)?.queue;
    if (queue === undefined || before === undefined) return queue?.size ?? 0;
    return [...queue.values()].filter(({ arrived }) => arrived < before).length;
  }

  waiter(ticket: string): LockWaiter | undefined {
    return this.#waiters.get(ticket);
  }

  putWaiter(waiter: LockWaiter): void {
    const before = this.#waiters.get(waiter.ticket);
    if (before !== undefined) this.#forgetDue(before.dueMs);
    this.#waiters.set(waiter.ticket, waiter);
    this.#rows(waiter.name).queue.set(waiter.ticket, waiter);
    this.#noteDue(waiter.dueMs);
  }

  removeWaiter(ticket: string): void {
    const waiter = this.#waiters.get(ticket);
    if (waiter === undefined) return;
    this.#forgetDue(waiter.dueMs);
    this.#waiters.delete(ticket);
    this.#names.get(waiter.name)?.queue.delete(ticket);
    this.#drop(waiter.name);
  }

  delayOf(name: string): number | undefined {
    return this.#names.get(name)?.delayMs;
  }

  setDelay(name: string, untilMs: number | undefined): void {
    const rows = this.#rows(name);
    if (rows.delayMs !== undefined) this.#forgetDue(rows.delayMs);
    rows.delayMs = untilMs;
    if (untilMs !== undefined) this.#noteDue(untilMs);
    this.#drop(name);
  }

  ofSession(session: string): { grants: LockGrant[]; waiters: LockWaiter[] } {
    return {
      grants: this.#live().filter((grant) => grant.session === session),
      waiters: [...this.#waiters.values()].filter((waiter) => waiter.session === session),
    };
  }

  sessions(): readonly string[] {
    const named = [...this.#live(), ...this.#waiters.values()].map(({ session }) => session);
    return [...new Set(named)].filter((session) => session !== undefined);
  }

  due(nowMs: number, limit: number): readonly LockDue[] {
    if (nowMs < (this.nextDueMs() ?? Number.POSITIVE_INFINITY)) return [];
    const all = this.#dues();
    const due = all.filter(({ atMs }) => atMs <= nowMs).sort((a, b) => a.atMs - b.atMs);
    return due.slice(0, limit).map(({ due: one }) => one);
  }

  nextDueMs(): number | undefined {
    if (this.#nextDueMs === undefined) {
      const times = this.#dues().map(({ atMs }) => atMs);
      this.#nextDueMs = times.reduce((least, atMs) => Math.min(least, atMs), Number.POSITIVE_INFINITY);
    }
    return this.#nextDueMs === Number.POSITIVE_INFINITY ? undefined : this.#nextDueMs;
  }

  putOff(byMs: number): void {
    for (const grant of this.#live()) this.putGrant({ ...grant, deadlineMs: grant.deadlineMs + byMs });
    for (const waiter of [...this.#waiters.values()]) {
      this.putWaiter({
        ...waiter,
        liveUntilMs: waiter.liveUntilMs + byMs,
        waitUntilMs: waiter.waitUntilMs + byMs,
        dueMs: waiter.dueMs + byMs,
      });
    }
    for (const [name, { delayMs }] of this.#names) {
      if (delayMs !== undefined) this.setDelay(name, delayMs + byMs);
    }
  }

  collect({ endedBeforeMs, forcedBeforeMs, stepsBeforeMs }: LockAges, limit: number): boolean {
    let removed = 0;
    for (const fence of this.#ended) {
      const grant = this.#grants.get(fence);
      const atMs = grant?.ended?.atMs ?? 0;
      if (atMs >= endedBeforeMs || removed >= limit) break;
      if (grant?.ended?.reason === "forced" && atMs >= forcedBeforeMs) continue;
      this.#forgetGrant(fence);
      removed++;
    }
    for (const [name, rows] of this.#names) {
      if (removed >= limit) break;
      if (rows.live.size > 0) continue;
      const old = rows.steps.filter(({ atMs }) => atMs < stepsBeforeMs).slice(0, limit - removed);
      removed += old.length;
      rows.steps.splice(0, old.length);
      rows.stepFloor = Math.max(rows.stepFloor, old.at(-1)?.event.revision ?? 0);
      this.#stepFloor = Math.max(this.#stepFloor, rows.stepFloor);
      this.#drop(name);
    }
    return removed >= limit;
  }

  names(prefix: string, after: string | undefined, limit: number): readonly string[] {
    return [...this.#names]
      .filter(([name, { isUsed }]) => isUsed && name.startsWith(prefix))
      .map(([name]) => name)
      .filter((name) => after === undefined || compareKeys(name, after) > 0)
      .sort(compareKeys)
      .slice(0, limit);
  }

  addEvent(name: string, event: ElectionEvent, atMs: number): void {
    const rows = this.#rows(name);
    // The name may have had steps before that were removed with everything else of it.
    if (rows.steps.length === 0) rows.stepFloor = Math.max(rows.stepFloor, this.#stepFloor);
    rows.steps.push({ event, atMs });
    if (rows.steps.length <= maxElectionEvents) return;
    rows.stepFloor = rows.steps.shift()?.event.revision ?? rows.stepFloor;
  }

  events(name: string, after: number): { events: ElectionEvent[]; floor: number } {
    const rows = this.#names.get(name);
    const events = (rows?.steps ?? []).map(({ event }) => event).filter(({ revision }) => revision > after);
    const floor = rows?.stepFloor ?? 0;
    return { events, floor: rows?.steps.length ? floor : Math.max(floor, this.#stepFloor) };
  }

  #rows(name: string): NameRows {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const rows = new NameRows();
    this.#names.set(name, rows);
    return rows;
  }

  #drop(name: string): void {
    if (this.#names.get(name)?.isEmpty === true) this.#names.delete(name);
  }

  #live(): LockGrant[] {
    return [...this.#names.values()].flatMap(({ live }) => [...live.values()]);
  }

  #forgetGrant(fence: number): void {
    const grant = this.#grants.get(fence);
    this.#ended.delete(fence);
    this.#grants.delete(fence);
    if (grant === undefined) return;
    if (grant.ticket !== undefined && this.#fenceOf.get(grant.ticket) === fence)
      this.#fenceOf.delete(grant.ticket);
    const rows = this.#names.get(grant.name);
    if (rows?.forcedFence === fence) rows.forcedFence = 0;
    this.#drop(grant.name);
  }

  #dues(): { atMs: number; due: LockDue }[] {
    return [...this.#names].flatMap(([name, { live, queue, delayMs }]) => [
      ...[...live.values()].map(({ fence, deadlineMs }) => ({
        atMs: deadlineMs,
        due: { what: "grant", name, fence } as const,
      })),
      ...[...queue.values()].map(({ ticket, dueMs }) => ({
        atMs: dueMs,
        due: { what: "waiter", name, ticket } as const,
      })),
      ...(delayMs === undefined ? [] : [{ atMs: delayMs, due: { what: "delay", name } as const }]),
    ]);
  }

  #noteDue(atMs: number): void {
    if (this.#nextDueMs !== undefined) this.#nextDueMs = Math.min(this.#nextDueMs, atMs);
  }

  /** To find what is due means to look at everything: not before the earliest has gone. */
  #forgetDue(atMs: number): void {
    if (this.#nextDueMs !== undefined && atMs <= this.#nextDueMs) this.#nextDueMs = undefined;
  }
}
