import type { Clock } from "../runtime/clock.ts";

/** When a node sent something: its place in the node's own order of events, and the time by the node's clock. */
export interface Moment {
  /** Grows by one with each moment of the node. Clocks may stand still; this never does. */
  readonly order: number;
  /** Milliseconds of the node's clock. */
  readonly atMs: number;
}

/** The node's order of events: tells what was sent before what, also while the clock stands still. */
export class Moments {
  readonly #clock: Clock;
  #order = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The moment now, later than all before it. */
  mark(): Moment {
    this.#order++;
    return { order: this.#order, atMs: this.#clock.now() };
  }

  /** The order of the latest moment. */
  get latest(): number {
    return this.#order;
  }
}
