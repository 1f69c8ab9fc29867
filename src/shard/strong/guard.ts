import type { Clock, Timers } from "../../runtime/clock.ts";
import { barrierMs, clockRateMargin, nodeLeaseMs } from "../../runtime/limits.ts";
import { reach } from "./elapsed.ts";
import { covers, type Noted, overlaps } from "./notes.ts";
import type { Touch } from "./operation.ts";

/**
 * What a new instance must reckon with of the one before (rule ST5): that one may answer strong reads until {@link barrierMs} after this one's start, and who got a
 * node lease from it until then may serve what it holds for the length of a lease more. Everyone counts as a holder of every key that the notes cover.
 */
export class Guard {
  readonly #noted: readonly [pattern: string, untilMs: number][];
  readonly #elapsed: Clock;
  readonly #timers: Timers;
  /** When the last of it is over. */
  readonly endMs: number;

  constructor(noted: Noted, elapsed: Clock, timers: Timers) {
    const startMs = elapsed.now();
    this.#noted = Object.entries(noted).map(([pattern, use]) => {
      const waitMs = use === "hold" ? barrierMs + nodeLeaseMs : barrierMs;
      return [pattern, startMs + waitMs * (1 + clockRateMargin)];
    });
    this.#elapsed = elapsed;
    this.#timers = timers;
    this.endMs = Math.max(Number.NEGATIVE_INFINITY, ...this.#noted.map(([, untilMs]) => untilMs));
  }

  get isOver(): boolean {
    return this.#elapsed.now() >= this.endMs;
  }

  /** Whether a change of these has to wait. */
  stops(touch: Touch): boolean {
    return this.#untilMs(touch) > this.#elapsed.now();
  }

  /** Settles when a change of these may be made, as far as the instance before is concerned. */
  passes(touch: Touch): Promise<void> {
    return reach(this.#elapsed, this.#timers, this.#untilMs(touch));
  }

  /** Settles when all of it is over. */
  ends(): Promise<void> {
    return reach(this.#elapsed, this.#timers, this.endMs);
  }

  #untilMs({ keys, prefixes, tags }: Touch): number {
    let latestMs = Number.NEGATIVE_INFINITY;
    for (const [pattern, untilMs] of this.#noted) {
      const isConcerned =
        tags.length > 0 ||
        keys.some((key) => covers(pattern, key)) ||
        prefixes.some((prefix) => overlaps(pattern, prefix));
      if (isConcerned) latestMs = Math.max(latestMs, untilMs);
    }
    return latestMs;
  }
}
