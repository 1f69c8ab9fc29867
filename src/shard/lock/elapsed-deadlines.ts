import type { Clock } from "../../runtime/clock.ts";

/**
 * The deadlines of grants by elapsed time, as far as this instance has set them: a wall clock that is set forward must not end them early (rule LK6). In memory: the
 * next instance goes by the wall clock, and adds what two hosts' clocks may differ by.
 */
export class ElapsedDeadlines {
  readonly #clock: Clock;
  readonly #elapsed: Clock;
  readonly #deadlines = new Map<number, number>();
  #ended: number[] = [];

  constructor(clock: Clock, elapsed: Clock) {
    this.#clock = clock;
    this.#elapsed = elapsed;
  }

  /** A grant is to be live until `deadlineMs`, by the wall clock as it goes now. */
  set(fence: number, deadlineMs: number): void {
    this.#deadlines.set(fence, this.#elapsed.now() + deadlineMs - this.#clock.now());
  }

  /** Until when, by the wall clock as it goes now, a grant is live for which the database says `deadlineMs`: never earlier. */
  of(fence: number, deadlineMs: number): number {
    const known = this.#deadlines.get(fence);
    if (known === undefined) return deadlineMs;
    return Math.max(deadlineMs, this.#clock.now() + known - this.#elapsed.now());
  }

  /** It has ended, if the transaction under way is committed. */
  end(fence: number): void {
    this.#ended.push(fence);
  }

  committed(): void {
    for (const fence of this.#ended) this.#deadlines.delete(fence);
    this.#ended = [];
  }

  undone(): void {
    this.#ended = [];
  }

  clear(): void {
    this.#deadlines.clear();
  }
}
