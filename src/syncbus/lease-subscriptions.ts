import type { BusSubscription, LeaseEvent, LeaseListener } from "./syncbus.ts";

/** One listener to the end of one lease. */
interface Ear {
  readonly lease: string;
  readonly listener: LeaseListener;
}

/** Who at one end of a bus listens to the ends of leases. */
export class LeaseSubscriptions {
  readonly #ears = new Set<Ear>();
  readonly #hooks: { failed(error: unknown): void; ended(): void };

  /** `failed`: a listener threw; `ended`: a subscription is over. */
  constructor(hooks: { failed(error: unknown): void; ended(): void }) {
    this.#hooks = hooks;
  }

  get size(): number {
    return this.#ears.size;
  }

  add(lease: string, listener: LeaseListener, signal: AbortSignal | undefined): BusSubscription {
    const ear = { lease, listener };
    const cut = (): void => {
      signal?.removeEventListener("abort", cut);
      if (this.#ears.delete(ear)) this.#hooks.ended();
    };
    signal?.addEventListener("abort", cut, { once: true });
    this.#ears.add(ear);
    return { end: async () => cut() };
  }

  /** Gives an event to those that it concerns; gives whether there are any. */
  take(event: LeaseEvent): boolean {
    const concerned = [...this.#ears].filter(({ lease }) => lease === event.lease);
    for (const ear of concerned) void this.#tell(ear, event);
    return concerned.length > 0;
  }

  /** What happened can't be told: every one of them may have ended. `id` is that event's. */
  missed(id: string): void {
    for (const ear of this.#ears) void this.#tell(ear, { lease: ear.lease, id, missed: true });
  }

  cut(): void {
    for (const ear of [...this.#ears]) if (this.#ears.delete(ear)) this.#hooks.ended();
  }

  async #tell(ear: Ear, event: LeaseEvent): Promise<void> {
    // Delivered after the publisher's turn, as on a wire.
    await Promise.resolve();
    if (!this.#ears.has(ear)) return;
    try {
      await ear.listener(event);
    } catch (error) {
      this.#hooks.failed(error);
    }
  }
}
