import type { Background } from "../../runtime/background.ts";
import type { Timers } from "../../runtime/clock.ts";
import type { BusSubscription } from "../syncbus.ts";
import { isBusTrouble } from "../trouble.ts";

/** A bus that can't be joined is asked again: after 100 ms, then 200 ms, up to 5 s. */
const firstPauseMs = 100;
const longestPauseMs = 5_000;

/** What {@link Leg} works with. */
export interface LegParts {
  readonly timers: Timers;
  readonly background: Background;
  readonly join: () => Promise<BusSubscription>;
  /** It could not be joined at first, and is now: what was told there meanwhile was not heard. */
  readonly joinedLate: () => void;
  readonly failed: (error: unknown) => void;
}

/** A subscription's place at one of two buses: joined as soon as that bus can be. */
export class Leg {
  /** The end of the first attempt: joined, or why not. Never rejects. */
  readonly first: Promise<{ readonly error: unknown } | undefined>;
  readonly #parts: LegParts;
  #subscription: BusSubscription | undefined;
  #cancel: () => void = () => {};
  #isOver = false;
  /** Whoever asked for it goes on without it. */
  #isLate = false;

  constructor(parts: LegParts) {
    this.#parts = parts;
    this.first = this.#attempt(firstPauseMs);
  }

  get isJoined(): boolean {
    return this.#subscription !== undefined;
  }

  /** Nobody waits for it any more: when it is joined, that is told. */
  goOn(): void {
    this.#isLate = !this.isJoined;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#cancel();
    await this.#subscription?.end();
  }

  async #attempt(pauseMs: number): Promise<{ readonly error: unknown } | undefined> {
    const { join, joinedLate, failed, timers, background } = this.#parts;
    try {
      const subscription = await join();
      this.#subscription = subscription;
      if (this.#isOver) await subscription.end();
      else if (this.#isLate) joinedLate();
      return undefined;
    } catch (error) {
      if (this.#isOver) return { error };
      failed(error);
      // What is no trouble of the bus stays as it is.
      if (isBusTrouble(error)) {
        this.#cancel = timers.after(pauseMs, () => {
          background.run(this.#attempt(Math.min(longestPauseMs, pauseMs * 2)));
        });
      }
      return { error };
    }
  }
}
