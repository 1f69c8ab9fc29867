import { WarpError } from "../errors.ts";
import { checkLeaseId } from "../protocol/key.ts";
import type { Background } from "../runtime/background.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import { randomHex } from "../runtime/ids.ts";
import type { Random } from "../runtime/random.ts";
import { checkInterest } from "./checks.ts";
import { LeaseSubscriptions } from "./lease-subscriptions.ts";
import { SeenIds } from "./seen-ids.ts";
import { Subscription } from "./subscription.ts";
import type {
  BusEvent,
  BusInterest,
  BusListener,
  BusStats,
  BusSubscription,
  BusTarget,
  LeaseEvent,
  LeaseListener,
} from "./syncbus.ts";

/** What a bus asks of the host. */
export interface BusHost {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly background: Background;
}

/** What every driver's end of a bus has: its subscriptions, its figures, the feed of errors, and whether it is open. */
export class BusEnd {
  readonly node: string;
  readonly #background: Background;
  readonly #subscriptions = new Set<Subscription>();
  readonly #leases: LeaseSubscriptions;
  readonly #errorListeners = new Set<(error: unknown) => void>();
  readonly #seen = new SeenIds();
  readonly #counts = { published: 0, delivered: 0, duplicates: 0, errors: 0 };
  /** Runs when the last subscription has ended. */
  readonly #idle: () => void;
  #closed = false;

  /** `node`: unique among the nodes of the bus; default random. */
  constructor(host: BusHost, node = randomHex(host.random, 8), idle: () => void = () => {}) {
    this.node = node;
    this.#background = host.background;
    this.#idle = idle;
    this.#leases = new LeaseSubscriptions({
      failed: (error) => this.report(error),
      ended: () => this.#rest(),
    });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Throws `warp_closed` after {@link close}; what is wrong with the call's limits; `aborted` where its signal already is. */
  begin(limits: Parameters<typeof checkCallLimits>[0]): void {
    if (this.#closed) throw new WarpError("warp_closed", "this bus is closed");
    checkCallLimits(limits);
  }

  countPublished(count: number): void {
    this.#counts.published += count;
  }

  countDuplicates(count: number): void {
    this.#counts.duplicates += count;
  }

  subscribe(
    interest: BusInterest,
    listener: BusListener,
    options: { readonly signal?: AbortSignal } | undefined,
  ): Subscription {
    this.begin(options);
    checkInterest(interest);
    const subscription: Subscription = new Subscription(interest, listener, options?.signal, {
      failed: (error) => this.report(error),
      ended: () => {
        this.#subscriptions.delete(subscription);
        this.#rest();
      },
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  subscribeLease(
    lease: string,
    listener: LeaseListener,
    options: { readonly signal?: AbortSignal } | undefined,
  ): BusSubscription {
    this.begin(options);
    checkLeaseId(lease);
    return this.#leases.add(lease, listener, options?.signal);
  }

  /** Gives the end of a lease to whom it concerns. */
  takeLease(event: LeaseEvent): void {
    if (!this.#seen.add(event.id)) this.#counts.duplicates++;
    else if (this.#leases.take(event)) this.#counts.delivered++;
  }

  /** Anything may have happened: ends of leases, too. `id` is that event's. */
  missLeases(id: string): void {
    this.#leases.missed(id);
  }

  /** Whether anybody here listens to what a message is about. */
  listens(target: BusTarget): boolean {
    for (const one of this.#subscriptions) if (one.isTouched(target)) return true;
    return false;
  }

  /** Gives events to whom they concern; settles with whether all of those have acted on them. Undefined: they concern nobody here. */
  take(events: readonly BusEvent[]): Promise<boolean> | undefined {
    const fresh = events.filter(({ id }) => this.#seen.add(id));
    this.#counts.duplicates += events.length - fresh.length;
    const acted: Promise<boolean>[] = [];
    const heard = new Set<BusEvent>();
    for (const subscription of [...this.#subscriptions]) {
      const touching = fresh.filter((event) => subscription.isTouched(event));
      if (touching.length === 0) continue;
      for (const event of touching) heard.add(event);
      acted.push(subscription.take(touching));
    }
    this.#counts.delivered += heard.size;
    return acted.length === 0 ? undefined : Promise.all(acted).then((all) => all.every((one) => one));
  }

  /** Tells of a failure that no caller sees. */
  report(error: unknown): void {
    this.#counts.errors++;
    for (const listener of this.#errorListeners) {
      try {
        listener(error);
      } catch (thrown) {
        // Nobody is left to tell but the host's log.
        this.#background.run(Promise.reject(thrown));
      }
    }
  }

  onError(listener: (error: unknown) => void): () => void {
    // Each call has its own entry, so that one function may listen twice and each answer takes one away.
    const entry = (error: unknown): void => listener(error);
    this.#errorListeners.add(entry);
    return () => void this.#errorListeners.delete(entry);
  }

  stats(): BusStats {
    return { ...this.#counts, subscriptions: this.#subscriptions.size + this.#leases.size };
  }

  /** Ends all subscriptions. Gives whether it was open. */
  close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    for (const subscription of [...this.#subscriptions]) subscription.cut();
    this.#leases.cut();
    return true;
  }

  #rest(): void {
    if (this.#subscriptions.size + this.#leases.size === 0) this.#idle();
  }
}
