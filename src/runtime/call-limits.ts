import { WarpError } from "../errors.ts";
import { maxTimeoutMs } from "./limits.ts";

/** How long a caller waits. */
export interface CallLimits {
  readonly signal?: AbortSignal;
  /** 1 to 120,000 ms; default 10,000. */
  readonly timeoutMs?: number;
}

/** Throws `invalid_argument` for a time-out out of range, `aborted` where the signal already is. */
export function checkCallLimits(limits: CallLimits | undefined): void {
  const { timeoutMs, signal } = limits ?? {};
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs <= maxTimeoutMs)) {
    throw new WarpError("invalid_argument", `timeoutMs is a number from 1 to ${maxTimeoutMs}`, {
      details: { field: "timeoutMs", min: 1, max: maxTimeoutMs },
    });
  }
  if (signal?.aborted === true) {
    throw new WarpError("aborted", "the caller gave up before the call was sent", { cause: signal.reason });
  }
}
