import { fraction, type Random } from "../../runtime/random.ts";

/** Bounds of the waits between attempts to connect, in ms. */
export interface BackoffOptions {
  /** Upper bound of the first wait, at least 1. Default 100. */
  readonly baseMs?: number;
  /** Upper bound of any wait, not below `baseMs`. Default 30,000. */
  readonly capMs?: number;
}

/** Exponential back-off with full jitter: each wait lies anywhere below its bound, so that nodes cut off together don't come back together (rule WA12). */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: Random;
  #failures = 0;

  constructor(random: Random, options: Required<BackoffOptions>) {
    this.#random = random;
    this.#baseMs = options.baseMs;
    this.#capMs = options.capMs;
  }

  /** The wait before the next attempt: 0 up to the bound, which doubles each time. `atOnce`: the first of them is no wait at all. */
  next(atOnce = false): number {
    if (atOnce && this.#failures === 0) {
      this.#failures = 1;
      return 0;
    }
    const boundMs = Math.min(this.#capMs, this.#baseMs * 2 ** this.#failures++);
    return fraction(this.#random) * boundMs;
  }

  /** A connection has proved itself. */
  reset(): void {
    this.#failures = 0;
  }
}
