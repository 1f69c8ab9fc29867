import type { Clock, Timers } from "../../src/runtime/clock.ts";

/** A clock that stands still until the test moves it, and timers that go off as it passes them. */
export class ManualTime implements Clock, Timers {
  #nowMs: number;
  #pending: { readonly dueMs: number; readonly run: () => void }[] = [];

  constructor(nowMs = 1_700_000_000_000) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, run };
    this.#pending.push(timer);
    return () => {
      this.#pending = this.#pending.filter((other) => other !== timer);
    };
  }

  /** Timers that have been set and neither gone off nor been cancelled. */
  get pending(): number {
    return this.#pending.length;
  }

  /** Sets the clock, also back; timers stay when they are. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Moves the clock on, stopping at each timer that comes due. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const [next] = this.#pending.filter(({ dueMs }) => dueMs <= end).sort((a, b) => a.dueMs - b.dueMs);
      if (next === undefined) break;
      this.#pending = this.#pending.filter((other) => other !== next);
      this.#nowMs = next.dueMs;
      next.run();
    }
    this.#nowMs = end;
  }
}
