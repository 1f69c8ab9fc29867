import { WarpError } from "../../errors.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { Timers } from "../../runtime/clock.ts";
import { defaultTimeoutMs } from "../../runtime/limits.ts";
import type { Fallback } from "../fallback.ts";

/** What goes wrong with one call. */
export interface StreamFault {
  /** Until the storage hears of it, ms. */
  readonly delayMs?: number;
  /** Until its answer comes after that, ms. */
  readonly answerMs?: number;
  /** The connection breaks before or after the storage has carried it out. */
  readonly lost?: "before" | "after";
}

/** Asked before each call what is to go wrong with it; undefined: nothing. */
export type StreamFaults = (call: keyof Fallback, shard: number | undefined) => StreamFault | undefined;

/** A way to a storage that may be slow or break. */
export class FaultyWay {
  readonly #timers: Timers;
  readonly #faults: StreamFaults;
  readonly #ends = new Set<(why: WarpError) => void>();
  #isClosed = false;

  constructor(timers: Timers, faults: StreamFaults) {
    this.#timers = timers;
    this.#faults = faults;
  }

  close(): void {
    this.#isClosed = true;
    for (const end of [...this.#ends]) end(new WarpError("warp_closed", "the way to the storage is closed"));
  }

  /** Carries `work` out over there. What has left and has no answer is unknown where it writes. */
  async carry<T>(
    call: keyof Fallback,
    shard: number | undefined,
    limits: CallLimits | undefined,
    work: () => T,
  ): Promise<T> {
    if (this.#isClosed) throw new WarpError("warp_closed", "the way to the storage is closed");
    checkCallLimits(limits);
    const outcome = call === "read" || call === "notice" ? "fail" : "unknown";
    const fault = this.#faults(call, shard);
    if (fault === undefined) {
      // The caller's turn is over whatever the driver, so that nobody comes to depend on an answer at once.
      await undefined;
      if (this.#isClosed) throw new WarpError("warp_closed", "the way to the storage is closed");
      return work();
    }
    const { delayMs = 0, answerMs = 0, lost } = fault;
    const { signal, timeoutMs = defaultTimeoutMs } = limits ?? {};
    return await new Promise<T>((resolve, reject) => {
      const cancels: (() => void)[] = [];
      const settle = (step: () => void): void => {
        for (const cancel of cancels.splice(0)) cancel();
        this.#ends.delete(end);
        signal?.removeEventListener("abort", onAbort);
        step();
      };
      const end = (why: WarpError): void =>
        settle(() =>
          reject(new WarpError(why.code, why.message, { ...why.toData(), outcome, cause: why.cause })),
        );
      const onAbort = (): void =>
        end(new WarpError("aborted", "the caller gave up", { cause: signal?.reason }));
      const broken = (): void => end(new WarpError("storage_unavailable", "the storage can't be reached"));
      this.#ends.add(end);
      signal?.addEventListener("abort", onAbort, { once: true });
      cancels.push(
        this.#timers.after(
          timeoutMs,
          () => end(new WarpError("storage_timeout", `the storage gave no answer within ${timeoutMs} ms`)),
          { awaited: true },
        ),
      );
      // It arrives whether anybody still waits or not.
      this.#timers.after(delayMs, () => {
        if (lost === "before") return broken();
        let result: T;
        try {
          result = work();
        } catch (error) {
          return settle(() => reject(error));
        }
        if (lost === "after") return broken();
        cancels.push(this.#timers.after(answerMs, () => settle(() => resolve(result))));
      });
    });
  }
}
