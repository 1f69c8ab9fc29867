import { WarpError } from "../errors.ts";
import { type CallLimits, checkCallLimits } from "../runtime/call-limits.ts";
import type { Clock } from "../runtime/clock.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";

/** The time of a call that takes several requests: each has what those before it have left. */
export class CallBudget {
  readonly #limits: CallLimits | undefined;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #startMs: number;

  /** `defaultMs`: the time of a caller who says nothing about it. Throws `invalid_argument`, `aborted`. */
  constructor(clock: Clock, limits: CallLimits | undefined, defaultMs = defaultTimeoutMs) {
    checkCallLimits(limits);
    this.#limits = limits;
    this.#clock = clock;
    this.#timeoutMs = limits?.timeoutMs ?? defaultMs;
    this.#startMs = clock.now();
  }

  /** The limits of the next request. Throws `storage_timeout` where no time is left. */
  next(): CallLimits {
    const leftMs = this.#timeoutMs - Math.max(0, this.#clock.now() - this.#startMs);
    const { signal } = this.#limits ?? {};
    if (leftMs < 1) {
      throw new WarpError("storage_timeout", `the storage gave no answer within ${this.#timeoutMs} ms`);
    }
    return { timeoutMs: leftMs, ...(signal === undefined ? {} : { signal }) };
  }
}
