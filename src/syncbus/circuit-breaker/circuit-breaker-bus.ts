import { WarpError } from "../../errors.ts";
import { type BreakerState, CircuitBreaker } from "../../runtime/circuit-breaker.ts";
import type { Clock } from "../../runtime/clock.ts";
import type {
  Acknowledged,
  BusInterest,
  BusListener,
  BusMessage,
  BusPeer,
  BusStats,
  BusSubscription,
  LeaseListener,
  PublishOptions,
  Quorum,
  SyncBus,
  SyncBusSupports,
} from "../syncbus.ts";
import { isBusTrouble } from "../trouble.ts";

/** What {@link circuitBreakerBus} takes. */
export interface CircuitBreakerBusOptions {
  /** The bus behind it; closed with it. */
  readonly bus: SyncBus;
  readonly clock: Clock;
  /** Publications that fail one after the other before it opens: 1 to 1,000, default 5. */
  readonly threshold?: number;
  /** How long nothing is published then before one publication tries again: 1 to 3,600,000 ms, default 10,000. */
  readonly openMs?: number;
}

/** A bus behind a circuit breaker. */
export interface CircuitBreakerBus extends SyncBus {
  readonly state: BreakerState;
}

/**
 * A bus that is left alone for a while when it fails: publications are then `unavailable` at once, with outcome `fail`, instead of waiting for it. Subscriptions go on. A
 * publication has no time-out of its own, so where the bus may never answer give it one (`WarpOptions.publishTimeoutMs`): what is still under way has not failed.
 * Only failures of the bus count (`unavailable`, `deadline_exceeded`, `storage_*`, `overloaded`, what it throws unexpectedly), not what is wrong with a message, a missed quorum, or a caller who gave up. Throws
 * `invalid_argument` for an option out of its range.
 */
export function circuitBreakerBus(options: CircuitBreakerBusOptions): CircuitBreakerBus {
  const { bus, clock, threshold = 5, openMs = 10_000 } = options;
  checkWhole("threshold", threshold, 1_000);
  checkWhole("openMs", openMs, 3_600_000);
  return new BreakerBus(bus, new CircuitBreaker({ clock, threshold, openMs }));
}

class BreakerBus implements CircuitBreakerBus {
  readonly #bus: SyncBus;
  readonly #breaker: CircuitBreaker;

  constructor(bus: SyncBus, breaker: CircuitBreaker) {
    this.#bus = bus;
    this.#breaker = breaker;
  }

  get supports(): SyncBusSupports {
    return this.#bus.supports;
  }

  get node(): string {
    return this.#bus.node;
  }

  get state(): BreakerState {
    return this.#breaker.state;
  }

  publish(message: BusMessage, options?: PublishOptions): Promise<void> {
    return this.#breaker.run(() => this.#bus.publish(message, options), isBusTrouble);
  }

  publishAndAwait(message: BusMessage, quorum: Quorum, options?: PublishOptions): Promise<Acknowledged> {
    return this.#breaker.run(() => this.#bus.publishAndAwait(message, quorum, options), isBusTrouble);
  }

  publishLeaseEnd(lease: string, options?: PublishOptions): Promise<void> {
    return this.#breaker.run(() => this.#bus.publishLeaseEnd(lease, options), isBusTrouble);
  }

  subscribe(
    interest: BusInterest,
    listener: BusListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    return this.#bus.subscribe(interest, listener, options);
  }

  subscribeLease(
    lease: string,
    listener: LeaseListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    return this.#bus.subscribeLease(lease, listener, options);
  }

  peers(): Promise<readonly BusPeer[]> {
    return this.#bus.peers();
  }

  async health(): Promise<{ readonly ok: boolean; readonly detail?: string }> {
    if (this.state === "open") return { ok: false, detail: "the circuit breaker is open" };
    return await this.#bus.health();
  }

  onError(listener: (error: unknown) => void): () => void {
    return this.#bus.onError(listener);
  }

  stats(): BusStats {
    return this.#bus.stats();
  }

  close(): Promise<void> {
    return this.#bus.close();
  }
}

function checkWhole(field: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new WarpError("invalid_argument", `${field} is a whole number from 1 to ${max}`, {
    details: { field, min: 1, max },
  });
}
