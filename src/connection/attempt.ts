import { WarpError } from "../errors.ts";
import { type CallLimits, checkCallLimits } from "../runtime/call-limits.ts";
import type { Timers } from "../runtime/clock.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";

/** What becomes of an error where a mutation may be under way: its outcome as the caller must take it. */
export function withOutcome(error: WarpError, outcome: "fail" | "unknown"): WarpError {
  if (error.outcome === outcome) return error;
  return new WarpError(error.code, error.message, {
    ...error.toData(),
    outcome,
    cause: error.cause ?? error,
  });
}

/**
 * One call of a node and how long its caller waits. It knows whether a mutation has left, because that decides what a caller who gives up
 * may believe: before, nothing was done; after, no one knows.
 */
export class Attempt {
  #mutated = false;
  #over = false;

  /**
   * Runs `work` until the caller's deadline or signal ends the wait; `work` then sends nothing more. Throws `deadline_exceeded`, `aborted` (or
   * what `work` throws), `invalid_argument` for a time-out out of range.
   */
  static async run<T>(
    timers: Timers,
    limits: CallLimits | undefined,
    work: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    checkCallLimits(limits);
    const attempt = new Attempt();
    const { signal, timeoutMs = defaultTimeoutMs } = limits ?? {};
    let release = (): void => {};
    const givenUp = new Promise<never>((_, reject) => {
      const late = (): void =>
        reject(attempt.#giveUp("deadline_exceeded", `no answer within ${timeoutMs} ms`));
      const cancel = timers.after(timeoutMs, late, { awaited: true });
      const onAbort = (): void => reject(attempt.#giveUp("aborted", "the caller gave up", signal?.reason));
      signal?.addEventListener("abort", onAbort, { once: true });
      release = () => {
        cancel();
        signal?.removeEventListener("abort", onAbort);
      };
    });
    try {
      return await Promise.race([work(attempt), givenUp]);
    } finally {
      release();
    }
  }

  /** To be called right before each request leaves. Throws when the caller has given up. */
  leave(kind: "read" | "mutation"): void {
    // Nobody sees this error: the caller has had another.
    if (this.#over) throw new WarpError("aborted", "the caller gave up");
    if (kind === "mutation") this.#mutated = true;
  }

  #giveUp(code: "deadline_exceeded" | "aborted", message: string, cause?: unknown): WarpError {
    this.#over = true;
    return new WarpError(code, message, { outcome: this.#mutated ? "unknown" : "fail", cause });
  }
}
