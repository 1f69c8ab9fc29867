import type { Clock, Timers } from "../../../src/runtime/clock.ts";
import { elapsedClock } from "../../../src/runtime/elapsed.ts";
import type { Kernel } from "./kernel.ts";

/** Where the hosts' wall clocks stand when the world begins: a moment in 2026. */
const startMs = 1_790_000_000_000;

/** Most that a wall clock is ahead or behind: any two of them lie at most a second apart. */
const farthestMs = 500;

/** Of timers. */
const grainsPerMs = 1_024;

/** How a host's clocks differ from true time (rules A1, A2). */
export interface ClockFault {
  /** Its clocks run that many times as fast. */
  readonly rate: number;
  /** Its wall clock is ahead by that much at the beginning. */
  readonly offsetMs: number;
}

/**
 * The clocks and timers of one host. The wall clock may be set forward or back; the elapsed clock only runs, at the host's rate. Timers run by
 * the elapsed clock, and not before their time.
 */
export class HostTime {
  readonly #kernel: Kernel;
  readonly #rate: number;
  #offsetMs: number;
  readonly #bornMs: number;
  readonly wall: Clock = { now: () => this.#wallMs() };
  /** Ms since this host began. */
  readonly elapsed: Clock = { now: () => (this.#kernel.nowMs - this.#bornMs) * this.#rate };
  /** Time as it passes for leases: what `src/` makes of both. */
  readonly passed: Clock;

  constructor(kernel: Kernel, { rate, offsetMs }: ClockFault) {
    this.#kernel = kernel;
    this.#rate = rate;
    this.#offsetMs = offsetMs;
    this.#bornMs = kernel.nowMs;
    this.passed = elapsedClock(this.wall, this.elapsed);
  }

  /** Sets the wall clock, at most `ms` away from where it would be. */
  step(offsetMs: number): void {
    this.#offsetMs = offsetMs;
  }

  #wallMs(): number {
    const drift = this.elapsed.now() - (this.#kernel.nowMs - this.#bornMs);
    // Hosts keep their wall clocks near true time (rule A2), however long they run.
    const aheadMs = Math.max(-farthestMs, Math.min(farthestMs, this.#offsetMs + drift));
    return Math.floor(startMs + this.#kernel.nowMs + aheadMs);
  }

  /** The host's timers; `wake` may hold a firing back while the host is paused or drop it when it is gone. */
  timers(wake: (run: () => void) => void): Timers {
    return {
      after: (delayMs, run) => {
        let over = false;
        // Rounded up: what is left by a clock that runs a little fast may be so little that no time passes in it.
        const waitMs = Math.ceil((delayMs / this.#rate) * grainsPerMs) / grainsPerMs;
        const cancel = this.#kernel.after(waitMs, () =>
          wake(() => {
            if (!over) run();
          }),
        );
        return () => {
          over = true;
          cancel();
        };
      },
    };
  }
}
