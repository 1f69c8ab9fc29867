import { clockStepMs, lockForgetMs, lockGraceMs } from "../runtime/coordination-limits.ts";
import { fits } from "./compatibility.ts";
import type { Grants } from "./grants.ts";
import type { HintLedger } from "./lock-hints.ts";
import type { LockStore, LockWaiter } from "./lock-store.ts";

/** Places that one look into the store takes: most queues are short, and most hand-overs end at the first. */
const chunk = 32;

export interface LockQueueParts {
  readonly store: LockStore;
  readonly grants: Grants;
  readonly hints: HintLedger;
  readonly isAwaited: (ticket: string) => boolean;
}

/** The queues of all names: who is next, and the hand-over to them (rules LK8, LK9). */
export class LockQueue {
  readonly #store: LockStore;
  readonly #grants: Grants;
  readonly #hints: HintLedger;
  readonly #isAwaited: (ticket: string) => boolean;

  constructor({ store, grants, hints, isAwaited }: LockQueueParts) {
    this.#store = store;
    this.#grants = grants;
    this.#hints = hints;
    this.#isAwaited = isAwaited;
  }

  /** Whether a live waiter stands in the queue that was not offered the lock: nobody else may be granted it now. */
  isWaitedFor(name: string, nowMs: number): boolean {
    for (const place of this.#places(name)) if (this.#isNext(place, nowMs)) return true;
    return false;
  }

  /** Offers what is free to the live waiters at the front, up to the first that does not fit. To be called in every stretch that may have freed something. */
  handOver(name: string, nowMs: number): void {
    if (this.#store.delayOf(name) !== undefined) return;
    let usage = this.#store.usage(name);
    for (const place of this.#places(name)) {
      if (!this.#isNext(place, nowMs)) continue;
      if (!fits(usage, place)) return;
      this.#grants.offer(place, nowMs);
      usage = this.#store.usage(name);
    }
  }

  add(place: Omit<LockWaiter, "liveUntilMs" | "dueMs">, nowMs: number): void {
    this.#put({ ...place, liveUntilMs: nowMs + lockGraceMs }, nowMs);
  }

  /** A waiter was heard of, and may be silent for so long from now on. */
  refresh(place: LockWaiter, silentMs: number, nowMs: number, session: string | undefined): void {
    const liveUntilMs = nowMs + silentMs + lockGraceMs;
    this.#put({ ...place, liveUntilMs, session: session ?? place.session }, nowMs);
  }

  /** From now on it is passed over until it is heard of again; it keeps its place meanwhile. */
  silence(place: LockWaiter, nowMs: number): void {
    // So long ago that neither the next instance's grace for clocks nor a clock that is set brings it back to life.
    const liveUntilMs = Math.min(place.liveUntilMs, nowMs - clockStepMs);
    this.#put({ ...place, liveUntilMs, session: undefined }, nowMs);
  }

  remove(ticket: string): void {
    this.#store.removeWaiter(ticket);
    this.#hints.settled(ticket);
  }

  /** Its whole wait is over, it is silent for too long, or it has just become silent: then it only stops to hold up those behind it. */
  due(place: LockWaiter, nowMs: number): void {
    const { ticket, waitUntilMs, liveUntilMs } = place;
    const awaited = this.#isAwaited(ticket);
    const forgotten = nowMs >= liveUntilMs + lockForgetMs && !awaited;
    if (nowMs >= waitUntilMs || forgotten) this.remove(ticket);
    else if (awaited) this.refresh(place, 0, nowMs, undefined);
    else this.#put(place, nowMs);
  }

  *#places(name: string): Generator<LockWaiter> {
    for (let after = 0; ; ) {
      const places = this.#store.queue(name, after, chunk);
      yield* places;
      if (places.length < chunk) return;
      after = places.at(-1)?.arrived ?? after;
    }
  }

  #isNext(place: LockWaiter, nowMs: number): boolean {
    const { ticket, waitUntilMs, liveUntilMs } = place;
    if (nowMs >= waitUntilMs || (nowMs >= liveUntilMs && !this.#isAwaited(ticket))) return false;
    const grant = this.#store.grantOf(ticket);
    return grant === undefined || grant.ended !== undefined;
  }

  #put(place: Omit<LockWaiter, "dueMs">, nowMs: number): void {
    const { liveUntilMs, waitUntilMs } = place;
    const dueMs = Math.min(waitUntilMs, nowMs < liveUntilMs ? liveUntilMs : liveUntilMs + lockForgetMs);
    this.#store.putWaiter({ ...place, dueMs });
  }
}
