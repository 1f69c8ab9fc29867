import type { Clock, Timers } from "../../runtime/clock.ts";
import { coalesceMs } from "../../runtime/limits.ts";

/** What a {@link Pacer} is made of. */
export interface PacerOptions {
  /** Pushes what there is; gives whether anybody listens. */
  readonly push: () => boolean;
  readonly elapsed: Clock;
  readonly timers: Timers;
  /** Takes what failed where nobody waits. */
  readonly report: (error: unknown) => void;
}

/** Says when to push: the first entries at once, what comes within the next 16 ms together (rule SB7). */
export class Pacer {
  readonly #options: PacerOptions;
  #pushedAtMs = Number.NEGATIVE_INFINITY;
  #waiting = false;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** There is more to push. */
  grown(): void {
    if (this.#waiting) return;
    const { elapsed, timers } = this.#options;
    const waitMs = this.#pushedAtMs + coalesceMs - elapsed.now();
    if (waitMs <= 0) {
      this.#push();
      return;
    }
    this.#waiting = true;
    timers.after(waitMs, () => {
      this.#waiting = false;
      try {
        this.#push();
      } catch (error) {
        this.#options.report(error);
      }
    });
  }

  #push(): void {
    if (this.#options.push()) this.#pushedAtMs = this.#options.elapsed.now();
  }
}
