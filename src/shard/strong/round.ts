import type { Clock, Timers } from "../../runtime/clock.ts";
import { clockRateMargin, nodeLeaseMs } from "../../runtime/limits.ts";
import { isMet, type Quorum, type Voter } from "./quorum.ts";

/** A session that was told to drop something. */
export interface Called {
  readonly session: string;
  /** The number of the invalidation in the session; undefined: its socket is gone. */
  readonly n: number | undefined;
  /** Until when it may serve what it held: the end of its node lease by the elapsed clock. `-Infinity`: it held nothing. */
  readonly untilMs: number;
  /** Whom it counts for in a quorum; undefined: for nobody (it is the writer's own node, or gone). */
  readonly voter: Voter | undefined;
}

/** What a round waits for. */
export interface RoundWants {
  readonly called: readonly Called[];
  /** The quorums of the operations of the write. */
  readonly quorums: readonly Quorum[];
}

/**
 * Waits until every holder has acknowledged, or its node lease is over, and each quorum is met or can't be met any more: for one it waits no longer
 * than one lease. Holders are waited for even where every quorum is missed: their permissions are taken, so the next write of the key would not wait for them.
 */
export class Round {
  readonly settled: Promise<void>;
  readonly #wants: RoundWants;
  readonly #elapsed: Clock;
  readonly #timers: Timers;
  /** Those who have not acknowledged. */
  readonly #awaited = new Map<string, Called>();
  readonly #acknowledged: Called[] = [];
  readonly #deadlineMs: number;
  #stopTimer = (): void => {};
  #settle: () => void = () => {};
  #isSettled = false;

  constructor(wants: RoundWants, elapsed: Clock, timers: Timers) {
    this.#wants = wants;
    this.#elapsed = elapsed;
    this.#timers = timers;
    for (const called of wants.called) this.#awaited.set(called.session, called);
    this.#deadlineMs = elapsed.now() + nodeLeaseMs * (1 + clockRateMargin);
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#check();
  }

  acknowledged(session: string, n: number): void {
    const called = this.#awaited.get(session);
    if (called?.n === undefined || n < called.n) return;
    this.#awaited.delete(session);
    this.#acknowledged.push(called);
    this.#check();
  }

  /** Its socket ended: it can't acknowledge, but what it holds it may serve until its lease is over. */
  left(session: string): void {
    const called = this.#awaited.get(session);
    if (called === undefined) return;
    this.#awaited.set(session, { ...called, n: undefined, voter: undefined });
    this.#check();
  }

  /** It serves nothing under its lease any more. */
  gaveBack(session: string): void {
    const called = this.#awaited.get(session);
    if (called === undefined) return;
    this.#awaited.set(session, { ...called, untilMs: Number.NEGATIVE_INFINITY });
    this.#check();
  }

  /** Whether enough nodes have acknowledged. */
  meets(quorum: Quorum): boolean {
    return isMet(quorum, this.voters);
  }

  /** Who has acknowledged. */
  get voters(): readonly Voter[] {
    return voters(this.#acknowledged);
  }

  #check(): void {
    if (this.#isSettled) return;
    const nowMs = this.#elapsed.now();
    const wakeMs = this.#wakeMs(nowMs);
    this.#stopTimer();
    if (wakeMs === undefined) {
      this.#isSettled = true;
      this.#settle();
    } else if (wakeMs < Number.POSITIVE_INFINITY) {
      this.#stopTimer = this.#timers.after(Math.max(0, wakeMs - nowMs), () => this.#check());
    }
  }

  /** When to look again unless something happens; undefined: there is nothing left to wait for. */
  #wakeMs(nowMs: number): number | undefined {
    const endsMs = [...this.#awaited.values()].map(({ untilMs }) => untilMs).filter((ms) => ms > nowMs);
    const mayMeet = (quorum: Quorum): boolean => !this.meets(quorum) && this.#canMeet(quorum);
    if (nowMs < this.#deadlineMs && this.#wants.quorums.some(mayMeet)) endsMs.push(this.#deadlineMs);
    return endsMs.length === 0 ? undefined : Math.min(...endsMs);
  }

  #canMeet(quorum: Quorum): boolean {
    return isMet(quorum, voters([...this.#acknowledged, ...this.#awaited.values()]));
  }
}

function voters(called: readonly Called[]): Voter[] {
  return called.map(({ voter }) => voter).filter((voter) => voter !== undefined);
}
