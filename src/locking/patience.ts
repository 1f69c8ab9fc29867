import { isWarpError, WarpError } from "../errors.ts";
import type { Timers } from "../runtime/clock.ts";
import { fraction, type Random } from "../runtime/random.ts";

const firstWaitMs = 50;
const longestWaitMs = 1_000;

/** The wait before try `failures` + 1, in ms: doubling, with jitter, so that holders cut off together don't come back together. */
export function retryWaitMs(failures: number, random: Random): number {
  const boundMs = Math.min(longestWaitMs, firstWaitMs * 2 ** Math.min(failures, 10));
  return boundMs * (0.5 + fraction(random) / 2);
}

/** Lets time pass. Rejects with `aborted` when the signal fires. */
export function pause(timers: Timers, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (hasGivenUp(signal)) {
      reject(aborted(signal));
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(aborted(signal));
    };
    const cancel = timers.after(
      ms,
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      { awaited: true },
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** Whether a caller has given up by now. */
export function hasGivenUp(signal: AbortSignal | undefined): boolean {
  return signal?.aborted ?? false;
}

/** The error of a caller whose signal fired; where the node was closed under it: `warp_closed`. */
export function aborted(signal: AbortSignal | undefined): WarpError {
  const cause: unknown = signal?.reason;
  return isWarpError(cause, "warp_closed")
    ? cause
    : new WarpError("aborted", "the caller gave up", { cause });
}
