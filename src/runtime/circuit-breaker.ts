import { WarpError } from "../errors.ts";
import type { Clock } from "./clock.ts";

/** `closed`: calls pass. `open`: none does. `half-open`: one does, to see. */
export type BreakerState = "closed" | "open" | "half-open";

/** One call that a {@link CircuitBreaker} let in: how it ended is to be told once. */
export interface Trial {
  succeeded(): void;
  failed(): void;
  /** It says nothing about what was called. */
  void(): void;
}

/** A call that tries whether it works again. */
interface Probe {
  readonly sinceMs: number;
}

/** What a {@link CircuitBreaker} is made of. */
export interface CircuitBreakerOptions {
  /** Measures elapsed time. */
  readonly clock: Clock;
  /** Failures one after the other that open it: at least 1. */
  readonly threshold: number;
  /** How long it stays open before one call may try again, in ms. */
  readonly openMs: number;
}

/**
 * Keeps calls from what does not work: after so many failures one after the other nothing is tried for a while, then one call alone. Its success closes the breaker, its
 * failure opens it anew.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  #failures = 0;
  #openUntilMs: number | undefined;
  /** The one call that tries again, and since when. */
  #probe: Probe | undefined;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    if (this.#openUntilMs === undefined) return "closed";
    const leftMs = this.#openUntilMs - this.#options.clock.now();
    // More than there can be: the clock was set back.
    return leftMs > 0 && leftMs <= this.#options.openMs ? "open" : "half-open";
  }

  /** Makes a call, unless it is refused: then nothing was sent. `counts` says which errors are failures of what is called, not the caller's own. */
  async run<T>(call: () => Promise<T>, counts: (error: unknown) => boolean): Promise<T> {
    const trial = this.enter();
    try {
      const result = await call();
      trial.succeeded();
      return result;
    } catch (error) {
      if (counts(error)) trial.failed();
      else trial.void();
      throw error;
    }
  }

  /** Lets a call in, for callers who know of its end in other ways than by a promise. Throws `unavailable` where none is let in: then nothing may be sent. */
  enter(): Trial {
    const probe = this.#enter();
    return {
      succeeded: () => this.#succeeded(probe),
      failed: () => this.#failed(probe),
      void: () => {
        if (probe !== undefined && this.#probe === probe) this.#probe = undefined;
      },
    };
  }

  /** Lets a call in: as the one that tries, or as one of many. */
  #enter(): Probe | undefined {
    const { state } = this;
    if (state === "closed") return undefined;
    const { clock, openMs } = this.#options;
    const nowMs = clock.now();
    // What is called may never answer: then another tries.
    const isTried = this.#probe !== undefined && Math.abs(nowMs - this.#probe.sinceMs) < openMs;
    if (state === "open" || isTried) throw this.#refusal();
    this.#probe = { sinceMs: nowMs };
    return this.#probe;
  }

  /** Whether a failure says something of now: that of a call that began before it opened, or was given up as a try, does not. */
  #matters(probe: Probe | undefined): boolean {
    return probe === undefined ? this.#openUntilMs === undefined : probe === this.#probe;
  }

  /** Whether a success does: also that of a try that others have followed since. What answers slowly would never count as working else. */
  #proves(probe: Probe | undefined): boolean {
    if (probe === undefined || probe === this.#probe || this.#openUntilMs === undefined)
      return this.#matters(probe);
    return probe.sinceMs >= this.#openUntilMs;
  }

  #succeeded(probe: Probe | undefined): void {
    if (!this.#proves(probe)) return;
    this.#failures = 0;
    this.#openUntilMs = undefined;
    this.#probe = undefined;
  }

  #failed(probe: Probe | undefined): void {
    if (!this.#matters(probe)) return;
    this.#failures++;
    this.#probe = undefined;
    const { clock, threshold, openMs } = this.#options;
    if (probe !== undefined || this.#failures >= threshold) this.#openUntilMs = clock.now() + openMs;
  }

  #refusal(): WarpError {
    const { clock, openMs } = this.#options;
    const leftMs = Math.min(openMs, Math.ceil((this.#openUntilMs ?? 0) - clock.now()));
    return new WarpError("unavailable", "the circuit breaker is open: the last calls have failed", {
      retryAfterMs: Math.max(1, leftMs),
    });
  }
}
