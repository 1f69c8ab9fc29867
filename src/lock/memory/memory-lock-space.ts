import type { EndedHint } from "../../locking/lock-hints.ts";
import { LockTable } from "../../locking/lock-table.ts";
import { MemoryLockStore } from "../../locking/memory-lock-store.ts";
import { asOfNow } from "../../locking/replays.ts";
import type { LockCommand, LockInfo, LockVerdict, LockWaitRequest } from "../../protocol/lock.ts";
import { checkLockCommand, lockPrint } from "../../protocol/lock-rules.ts";
import { formatCursor, parseCursor } from "../../protocol/position.ts";
import { VerdictMemory } from "../../protocol/verdict-memory.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { Random } from "../../runtime/random.ts";
import { steadyClock } from "../../runtime/steady-clock.ts";
import type { ObservedElection } from "../lock.ts";
import { OpenWaits } from "./open-waits.ts";
import { patiently } from "./patiently.ts";

/** How often what ended long ago is removed at most. */
const collectEveryMs = 10_000;

/** What a {@link MemoryLockSpace} is made of. */
export interface MemoryLockSpaceOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Time as it passes, near Unix milliseconds, by which grants end. Default: `clock`, kept from running backwards. */
  readonly elapsed?: Clock;
}

/** A waiter's question. */
export type Place = Pick<LockWaitRequest, "name" | "owner" | "ticket" | "waitMs">;

/**
 * An authority for locks inside the process: one table over maps. Every call is one synchronous stretch. Several drivers may stand on one, each a session
 * of it: they are the nodes that keep each other out.
 */
export class MemoryLockSpace {
  readonly #clock: Clock;
  readonly #elapsed: Clock;
  readonly #timers: Timers;
  readonly #epoch: string;
  readonly #table: LockTable;
  readonly #verdicts = new VerdictMemory();
  readonly #waiters = new OpenWaits<LockVerdict>();
  readonly #observers = new OpenWaits<ObservedElection>();
  readonly #sessions = new Map<string, (ended: EndedHint) => void>();
  #opened = 0;
  #cancelTimer: (() => void) | undefined;
  #collectAtMs = 0;

  constructor({ clock, timers, random, elapsed = steadyClock(clock) }: MemoryLockSpaceOptions) {
    this.#clock = clock;
    this.#elapsed = elapsed;
    this.#timers = timers;
    this.#epoch = randomHex(random, 8);
    const isAwaited = (ticket: string): boolean => this.#waiters.isOpen(ticket);
    this.#table = new LockTable({ store: new MemoryLockStore(), isAwaited });
  }

  /** Begins a session, which hears of ends of its grants. */
  open(onEnd: (ended: EndedHint) => void): string {
    const session = `${++this.#opened}`;
    this.#sessions.set(session, onEnd);
    this.#stretch(() => undefined);
    return session;
  }

  leave(session: string): void {
    this.#sessions.delete(session);
    this.#stretch((nowMs) => this.#table.left([session], nowMs));
  }

  run(commands: readonly LockCommand[], session: string): readonly LockVerdict[] {
    return this.#stretch((nowMs) => commands.map((command) => this.#runOne(command, nowMs, session)));
  }

  wait(place: Place, session: string, signals: readonly AbortSignal[]): Promise<LockVerdict> {
    const verdict = this.#stretch((nowMs) => this.#table.poll(place, place.waitMs, nowMs, session));
    return patiently({
      first: verdict,
      isAnswer: () => verdict.outcome === "fail" || verdict.state !== "waiting",
      topic: place.ticket,
      waits: this.#waiters,
      look: () => this.#table.settled(place, this.#elapsed.now()),
      last: () => this.#stretch((nowMs) => this.#table.standing(place, nowMs)),
      waitMs: place.waitMs,
      timers: this.#timers,
      signals,
    });
  }

  observe(
    name: string,
    cursor: string | undefined,
    waitMs: number,
    signals: readonly AbortSignal[],
  ): Promise<ObservedElection> {
    const since = cursor === undefined ? undefined : parseCursor(cursor);
    const look = (): ObservedElection => {
      const isOfHere = since?.epoch === this.#epoch;
      const { events, to, gap } = this.#table.steps(name, isOfHere ? since.revision : undefined);
      const strange = since !== undefined && !isOfHere;
      return { events, cursor: formatCursor({ epoch: this.#epoch, revision: to }), gap: gap || strange };
    };
    const first = this.#stretch(look);
    return patiently({
      first,
      isAnswer: () => first.events.length > 0 || first.gap,
      topic: name,
      waits: this.#observers,
      look: () => {
        const seen = look();
        return seen.events.length > 0 || seen.gap ? seen : undefined;
      },
      last: () => this.#stretch(look),
      waitMs,
      timers: this.#timers,
      signals,
    });
  }

  /** Whether a lock is held under this fence now: what guards ask (rule LK14). */
  isHeld(name: string, fence: number): boolean {
    return this.#stretch(() => this.#table.isHeld(name, fence));
  }

  info(name: string): LockInfo {
    return this.#stretch((nowMs) => this.#table.info(name, nowMs));
  }

  list(prefix: string, after: string | undefined, limit: number): ReturnType<LockTable["list"]> {
    return this.#stretch((nowMs) => this.#table.list(prefix, after, limit, nowMs));
  }

  #runOne(command: LockCommand, nowMs: number, session: string): LockVerdict {
    const wallMs = this.#clock.now();
    const wrong = checkLockCommand(command, wallMs);
    if (wrong !== undefined) return { outcome: "fail", error: wrong.toData() };
    // A question about the present: a repeat has to be answered anew.
    if (command.kind === "confirm") return this.#table.run(command, nowMs, session);
    const print = lockPrint(command);
    const known = this.#verdicts.recall<LockVerdict>(command.opId, print);
    if (known !== undefined) return asOfNow(this.#table, command, known, nowMs);
    const verdict = this.#table.run(command, nowMs, session);
    this.#verdicts.keep(command.opId, { print, verdict }, wallMs);
    return verdict;
  }

  /** Every call is one: first ends what is due, and afterwards tells those who wait. */
  #stretch<T>(work: (nowMs: number) => T): T {
    const nowMs = this.#elapsed.now();
    while (this.#table.expire(nowMs));
    const result = work(nowMs);
    if (nowMs >= this.#collectAtMs) {
      this.#table.collect(nowMs);
      this.#collectAtMs = nowMs + collectEveryMs;
    }
    const { tickets, elections, ended } = this.#table.takeHints();
    for (const ticket of tickets) this.#waiters.wake(ticket);
    for (const name of elections) this.#observers.wake(name);
    for (const one of ended) if (one.session !== undefined) this.#sessions.get(one.session)?.(one);
    this.#setTimer(nowMs);
    return result;
  }

  #setTimer(nowMs: number): void {
    this.#cancelTimer?.();
    const dueMs = this.#table.nextDueMs();
    // Where nobody is there any more, things end when somebody looks.
    if (dueMs === undefined || this.#sessions.size === 0) return;
    this.#cancelTimer = this.#timers.after(Math.max(0, dueMs - nowMs), () => this.#stretch(() => undefined));
  }
}
