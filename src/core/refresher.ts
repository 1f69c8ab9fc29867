import { Call } from "./call.ts";
import { HeldErrors } from "./held-errors.ts";
import type { Need } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import type { Parts } from "./parts.ts";
import { SingleFlight } from "./single-flight.ts";

/** Loads behind an answer that was given already: early refreshes, and those after a stale answer. One per key at a time. */
export class Refresher {
  readonly #parts: Parts;
  readonly #loader: Loader;
  readonly #flights: SingleFlight<void>;

  constructor(parts: Parts, loader: Loader) {
    this.#parts = parts;
    this.#loader = loader;
    this.#flights = new SingleFlight({
      clock: parts.clock,
      background: parts.background,
      lostAfterMs: parts.joinTimeoutMs,
      errors: new HeldErrors(1),
    });
  }

  /** Begins one unless one is under way. A load that fails is not told: the copy's readers will meet its error in time. */
  refresh(need: Need): void {
    const { adapter, counters, moments } = this.#parts;
    // Nothing to load from: L1 is all there is.
    if (!adapter.supports.storage || this.#loader.isHeld(need.key)) return;
    if (this.#flights.joinRunning(need.key, Number.NEGATIVE_INFINITY) !== undefined) return;
    counters.refreshes++;
    this.#flights.begin(need.key, moments.mark(), this.#load(need)).catch(() => undefined);
  }

  async #load(need: Need): Promise<void> {
    await this.#loader.load([{ ...need, authority: true }], new Call(this.#parts, undefined));
  }
}
