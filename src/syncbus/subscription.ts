import { WarpError } from "../errors.ts";
import { maxQueuedBusEvents } from "../runtime/limits.ts";
import type { BusEvent, BusInterest, BusListener, BusSubscription, BusTarget } from "./syncbus.ts";
import { touches } from "./touches.ts";

/** What a subscription tells the end that it is of. */
export interface SubscriptionHooks {
  /** The listener failed, or is too slow. */
  failed(error: unknown): void;
  ended(): void;
}

/**
 * One listener and what waits for it: bursts one after the other, what comes meanwhile in one. A queue that grows too long becomes one event: everything
 * may have changed. So a slow listener costs a bounded memory and misses nothing.
 */
export class Subscription implements BusSubscription {
  readonly #interest: BusInterest;
  readonly #listener: BusListener;
  readonly #hooks: SubscriptionHooks;
  readonly #offSignal: () => void;
  #events: BusEvent[] = [];
  #acknowledge: ((done: boolean) => void)[] = [];
  /** Of the burst that the listener is at. */
  #acting: readonly ((done: boolean) => void)[] = [];
  #busy = false;
  #ended = false;

  constructor(
    interest: BusInterest,
    listener: BusListener,
    signal: AbortSignal | undefined,
    hooks: SubscriptionHooks,
  ) {
    this.#interest = interest;
    this.#listener = listener;
    this.#hooks = hooks;
    const onAbort = (): void => this.cut();
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#offSignal = () => signal?.removeEventListener("abort", onAbort);
  }

  isTouched(target: BusTarget): boolean {
    return touches(this.#interest, target);
  }

  /** Queues events for the listener; settles with whether it has acted on them. */
  take(events: readonly BusEvent[]): Promise<boolean> {
    this.#events.push(...events);
    if (this.#events.length > maxQueuedBusEvents) {
      const [{ id } = { id: "" }] = this.#events;
      this.#events = [{ prefix: "", id: `${id}+` }];
      this.#hooks.failed(
        new WarpError("overloaded", "a listener is too slow: events became one about all keys"),
      );
    }
    const acted = new Promise<boolean>((resolve) => this.#acknowledge.push(resolve));
    if (!this.#busy) void this.#drain();
    return acted;
  }

  async #drain(): Promise<void> {
    this.#busy = true;
    // What is delivered is delivered after the publisher's turn, as on a wire.
    await Promise.resolve();
    while (this.#events.length > 0) {
      const events = this.#events;
      this.#acting = this.#acknowledge;
      this.#events = [];
      this.#acknowledge = [];
      let done = false;
      try {
        await this.#listener(events);
        done = !this.#ended;
      } catch (error) {
        this.#hooks.failed(error);
      }
      for (const one of this.#acting) one(done);
    }
    this.#busy = false;
  }

  /** Ends it at once: what waits is not delivered, nor acknowledged. */
  cut(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#offSignal();
    this.#events = [];
    for (const one of [...this.#acting, ...this.#acknowledge]) one(false);
    this.#acknowledge = [];
    this.#hooks.ended();
  }

  async end(): Promise<void> {
    this.cut();
  }
}
