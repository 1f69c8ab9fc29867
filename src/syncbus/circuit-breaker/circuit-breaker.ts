import { WarpError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";

/** `closed`: calls pass. `open`: none does. `half-open`: one does, to see. */
export type BreakerState = "closed" | "open" | "half-open";

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
  #probes = false;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
  }

  get state(): BreakerState {
    if (this.#openUntilMs === undefined) return "closed";
    return this.#options.clock.now() < this.#openUntilMs ? "open" : "half-open";
  }

  /** Makes a call, unless it is refused: then nothing was sent. `counts` says which errors are failures of what is called, not the caller's own. */
  async run<T>(call: () => Promise<T>, counts: (error: unknown) => boolean): Promise<T> {
    const { state } = this;
    if (state === "open" || (state === "half-open" && this.#probes)) throw this.#refusal();
    const isProbe = state === "half-open";
    if (isProbe) this.#probes = true;
    try {
      const result = await call();
      this.#succeeded(isProbe);
      return result;
    } catch (error) {
      if (counts(error)) this.#failed(isProbe);
      else if (isProbe) this.#probes = false;
      throw error;
    }
  }

  /** The answer to a call that began before it opened says nothing of now. */
  #succeeded(isProbe: boolean): void {
    if (!isProbe && this.#openUntilMs !== undefined) return;
    this.#failures = 0;
    this.#openUntilMs = undefined;
    if (isProbe) this.#probes = false;
  }

  #failed(isProbe: boolean): void {
    if (!isProbe && this.#openUntilMs !== undefined) return;
    this.#failures++;
    if (isProbe) this.#probes = false;
    const { clock, threshold, openMs } = this.#options;
    if (isProbe || this.#failures >= threshold) this.#openUntilMs = clock.now() + openMs;
  }

  #refusal(): WarpError {
    const leftMs = Math.ceil((this.#openUntilMs ?? 0) - this.#options.clock.now());
    return new WarpError("unavailable", "the circuit breaker is open: the last calls have failed", {
      retryAfterMs: Math.max(1, leftMs),
    });
  }
}
