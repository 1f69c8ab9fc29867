import { WarpError } from "../errors.ts";
import type { CallLimits } from "./call-limits.ts";
import type { Timers } from "./clock.ts";

/**
 * Waits for `work` until the caller gives up: `aborted` by its signal, `late` after `timeoutMs` (none: for ever). Both leave open whether the work was
 * done, as it may still be.
 */
export function within<T>(
  timers: Timers,
  { signal, timeoutMs }: CallLimits,
  work: Promise<T>,
  late: () => WarpError = () =>
    new WarpError("deadline_exceeded", `the bus did not answer within ${timeoutMs} ms`, {
      outcome: "unknown",
    }),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      end();
      reject(new WarpError("aborted", "the caller gave up", { outcome: "unknown", cause: signal?.reason }));
    };
    const cancel =
      timeoutMs === undefined
        ? () => {}
        : timers.after(
            timeoutMs,
            () => {
              end();
              reject(late());
            },
            { awaited: true },
          );
    const end = (): void => {
      cancel();
      signal?.removeEventListener("abort", onAbort);
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
