import type { CallOptions } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import { closedError } from "./lifetime.ts";
import type { Parts } from "./parts.ts";

/** What {@link Call.wait} gives when the time to wait for another's work is over. */
export const tooLong: unique symbol = Symbol("too long");

/**
 * One caller's patience: its deadline and its abort signal. Work that several callers share runs under none of them;
 * each only stops waiting.
 */
export class Call {
  readonly #parts: Parts;
  readonly #signal: AbortSignal | undefined;
  readonly #deadlineMs: number;
  readonly timeoutMs: number;

  /** Throws `invalid_argument` for a time-out out of range, `aborted` if the signal already is. */
  constructor(parts: Parts, options: CallOptions | undefined) {
    checkCallLimits(options);
    this.#parts = parts;
    this.#signal = options?.signal;
    this.timeoutMs = options?.timeoutMs ?? defaultTimeoutMs;
    this.#deadlineMs = parts.clock.now() + this.timeoutMs;
  }

  /** Waits for `work` until the caller gives up; with `joinTimeoutMs`, until that is over: then {@link tooLong}. */
  wait<T>(work: Promise<T>): Promise<T>;
  wait<T>(work: Promise<T>, joinTimeoutMs: number): Promise<T | typeof tooLong>;
  wait<T>(work: Promise<T>, joinTimeoutMs = Number.POSITIVE_INFINITY): Promise<T | typeof tooLong> {
    const { timers, lifetime, clock } = this.#parts;
    const signal = this.#signal;
    return new Promise((resolve, reject) => {
      const restMs = Math.max(0, this.#deadlineMs - clock.now());
      const late = (): void => {
        end();
        if (joinTimeoutMs < restMs) resolve(tooLong);
        else reject(lateError(this.timeoutMs));
      };
      const cancelTimer = timers.after(Math.min(restMs, joinTimeoutMs), late, { awaited: true });
      const onAbort = (): void => {
        end();
        reject(abortedError(signal));
      };
      const offEnd = lifetime.onEnd(() => {
        end();
        reject(closedError());
      });
      const end = (): void => {
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
        offEnd();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      work.then(
        (value) => {
          end();
          resolve(value);
        },
        (error: unknown) => {
          end();
          reject(error);
        },
      );
    });
  }
}

/** Only what every call takes, of options that say more. */
export function callOptions(options: CallOptions | undefined): CallOptions {
  return {
    ...(options?.signal === undefined ? {} : { signal: options.signal }),
    ...(options?.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  };
}

export function abortedError(signal: AbortSignal | undefined): WarpError {
  return new WarpError("aborted", "the caller gave up", { cause: signal?.reason });
}

function lateError(timeoutMs: number): WarpError {
  return new WarpError("deadline_exceeded", `no answer within ${timeoutMs} ms`);
}
