import { WarpError } from "../../errors.ts";
import type { StreamPlace } from "../../fallback/fallback.ts";
import { comparePlaces } from "../../fallback/place.ts";
import type { Timers } from "../../runtime/clock.ts";
import { drainTimeoutMs } from "../../runtime/fallback-limits.ts";

/** A call that waits until all up to a place is applied. */
export interface Drain {
  readonly place: StreamPlace;
  readonly settle: (error?: WarpError) => void;
}

/** The calls that wait for what their nodes have proposed. */
export class Drains {
  readonly #timers: Timers;
  readonly #waiting = new Set<Drain>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Those that wait now. */
  get all(): readonly Drain[] {
    return [...this.#waiting];
  }

  /** Rejects with `unavailable` when it takes too long, else with what {@link fail} says. */
  wait(place: StreamPlace): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: WarpError): void => {
        if (!this.#waiting.delete(drain)) return;
        cancel();
        if (error === undefined) resolve();
        else reject(error);
      };
      const drain = { place, settle };
      const cancel = this.#timers.after(
        drainTimeoutMs,
        () =>
          settle(
            new WarpError(
              "unavailable",
              `what the node has proposed was not applied within ${drainTimeoutMs} ms`,
              {
                retryAfterMs: 500,
                details: { drain: place },
              },
            ),
          ),
        { awaited: true },
      );
      this.#waiting.add(drain);
    });
  }

  /** All up to `place` is applied: those among `drains` that wait for no more have their answer. */
  reach(drains: readonly Drain[], place: StreamPlace): void {
    for (const drain of drains) if (comparePlaces(drain.place, place) <= 0) drain.settle();
  }

  fail(drains: readonly Drain[], error: WarpError): void {
    for (const { place, settle } of drains) {
      const { code, message } = error;
      const details = { ...error.details, drain: place };
      settle(new WarpError(code, message, { ...error.toData(), outcome: "fail", details, cause: error }));
    }
  }
}
