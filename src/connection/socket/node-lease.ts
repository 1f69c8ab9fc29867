import type { Clock } from "../../runtime/clock.ts";
import { clockRateMargin } from "../../runtime/limits.ts";

/** Requests for the lease that are remembered while unanswered. */
const maxAsked = 16;

/**
 * A session's node lease as the node may count on it (rule ST3). The shard counts from the moment it grants; the node from the moment it
 * sent its request, which is earlier, and each keeps a margin for clocks that run at different rates (A1): the node stops first.
 *
 * A *tenure* is a stretch without a gap between grants. Past the end of a lease the shard may have committed changes without
 * telling, so a later grant begins another tenure and what was held under the one before stays unused.
 */
export class NodeLease {
  readonly #elapsed: Clock;
  readonly #nextTenure: () => number;
  readonly #asked = new Map<number, number>();
  #tenure: number;
  #untilMs = Number.NEGATIVE_INFINITY;
  #usedAtMs = Number.NEGATIVE_INFINITY;
  /** The last answer was that there is none for it now. */
  #refused = false;
  #over = false;

  constructor(elapsed: Clock, nextTenure: () => number) {
    this.#elapsed = elapsed;
    this.#nextTenure = nextTenure;
    this.#tenure = nextTenure();
  }

  /** The tenure of permissions that arrive now. */
  get tenure(): number {
    return this.#tenure;
  }

  /** What is left of it, in ms; 0 or less: it is over, or was never granted. */
  leftMs(): number {
    return this.#over ? Number.NEGATIVE_INFINITY : this.#untilMs - this.#elapsed.now();
  }

  /** Somebody reads strong keys. */
  use(): void {
    this.#usedAtMs = this.#elapsed.now();
  }

  /** Whether strong keys were read within the last two leases: else it is not renewed. */
  isWanted(leaseMs: number): boolean {
    return this.#elapsed.now() - this.#usedAtMs <= 2 * leaseMs;
  }

  /** Whether to ask for it at once, not only at the next beat: there is none, and it was neither asked for nor just refused. */
  get isMissing(): boolean {
    return this.#asked.size === 0 && !this.#refused && this.leftMs() <= 0;
  }

  /** Request `id` leaves now. */
  asks(id: number): void {
    if (this.#asked.size >= maxAsked) {
      const [oldest] = this.#asked.keys();
      if (oldest !== undefined) this.#asked.delete(oldest);
    }
    this.#refused = false;
    this.#asked.set(id, this.#elapsed.now());
  }

  /** The answer to request `id`; without `leaseMs` nothing was granted. */
  answered(id: number, leaseMs: number | undefined): void {
    const sentAtMs = this.#asked.get(id);
    for (const asked of this.#asked.keys()) if (asked <= id) this.#asked.delete(asked);
    this.#refused = leaseMs === undefined;
    if (sentAtMs === undefined || leaseMs === undefined || this.#over) return;
    // It ran out before this arrived: perhaps also at the shard, perhaps not, that can't be told from here.
    if (this.leftMs() <= 0) this.#tenure = this.#nextTenure();
    this.#untilMs = Math.max(this.#untilMs, sentAtMs + leaseMs * (1 - clockRateMargin));
  }

  /** The session is over, and the tenure with it. */
  end(): void {
    this.#over = true;
  }
}
