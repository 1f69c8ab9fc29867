import { WarpError } from "../../errors.ts";
import { checkLeaseId } from "../../protocol/key.ts";
import type { BreakerState } from "../../runtime/circuit-breaker.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { within } from "../../runtime/patience.ts";
import { BusEnd } from "../bus-end.ts";
import { checkId, checkInterest, checkMessage, checkQuorum } from "../checks.ts";
import { SeenIds } from "../seen-ids.ts";
import type {
  Acknowledged,
  BusEvent,
  BusInterest,
  BusListener,
  BusMessage,
  BusPeer,
  BusStats,
  BusSubscription,
  LeaseEvent,
  LeaseListener,
  PublishOptions,
  Quorum,
  SyncBus,
  SyncBusSupports,
} from "../syncbus.ts";
import { BothWays } from "./both-ways.ts";
import { carry } from "./carry.ts";
import { FirstWay } from "./first-way.ts";
import { type FailoverBusOptions, type ResolvedFailover, resolveFailover } from "./options.ts";

/** A bus over two others. */
export interface FailoverBus extends SyncBus {
  /** Of the breaker in front of the first bus. */
  readonly state: BreakerState;
  /** Which of the two the next publication goes to; `first` also while one tries it again. */
  readonly carries: "first" | "second";
}

/**
 * A bus that goes over a first one while that works and over a second one while it does not. It listens at both, and what comes over both is heard once. What needs acknowledgements is never
 * carried by a bus that can't count them. Throws `invalid_argument`.
 */
export function failoverBus(options: FailoverBusOptions): FailoverBus {
  return new Failover(resolveFailover(options));
}

class Failover implements FailoverBus {
  readonly supports: SyncBusSupports;
  readonly #options: ResolvedFailover;
  readonly #end: BusEnd;
  readonly #first: FirstWay;
  readonly #subscriptions = new Set<Pick<BothWays<BusEvent>, "miss" | "end">>();
  readonly #counted = new SeenIds();
  /** What the first bus is asked to carry now. */
  readonly #tries = new Set<Promise<void>>();
  #delivered = 0;
  #duplicates = 0;

  constructor(options: ResolvedFailover) {
    this.#options = options;
    const { first, second, clock, threshold, openMs } = options;
    this.#end = new BusEnd(options, first.node);
    this.#first = new FirstWay({ clock, threshold, openMs }, () => {
      // What others told over it meanwhile a bus that can't resume has not brought.
      if (!first.supports.resume) for (const one of this.#subscriptions) one.miss();
    });
    const both = (ability: keyof SyncBusSupports): boolean =>
      first.supports[ability] && second.supports[ability];
    this.supports = Object.freeze({
      quorum: first.supports.quorum,
      zones: first.supports.zones,
      health: true,
      peers: first.supports.peers,
      scope: both("scope"),
      region: both("region"),
      resume: both("resume"),
      remote: both("remote"),
    });
    for (const bus of [first, second]) bus.onError((error) => this.#end.report(error));
  }

  get node(): string {
    return this.#end.node;
  }

  get state(): BreakerState {
    return this.#first.state;
  }

  get carries(): "first" | "second" {
    return this.state === "open" ? "second" : "first";
  }

  async publish(message: BusMessage, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkMessage(message, this.supports);
    const limits = this.#named(options);
    await this.#carry(limits, (bus, rest) => bus.publish(message, rest));
    this.#end.countPublished(1);
  }

  async publishLeaseEnd(lease: string, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkLeaseId(lease);
    const limits = this.#named(options);
    if (this.#options.carriesLeaseEnds) {
      await this.#carry(limits, (bus, rest) => bus.publishLeaseEnd(lease, rest));
    } else await this.#first.run(() => this.#options.first.publishLeaseEnd(lease, limits));
    this.#end.countPublished(1);
  }

  async publishAndAwait(
    message: BusMessage,
    quorum: Quorum,
    options: PublishOptions = {},
  ): Promise<Acknowledged> {
    this.#end.begin(options);
    const { first, second } = this.#options;
    if (!first.supports.quorum)
      throw new WarpError("unsupported", "the first bus counts no acknowledgements");
    checkMessage(message, this.supports);
    const { minZones } = checkQuorum(quorum);
    const limits = this.#named(options);
    const counts = second.supports.quorum && (minZones === 0 || second.supports.zones);
    const acknowledged = await this.#first.run(
      () => first.publishAndAwait(message, quorum, limits),
      // Only what has not been sent at all: whoever acted on it over the first must not count for the second.
      counts ? () => second.publishAndAwait(message, quorum, limits) : undefined,
    );
    this.#end.countPublished(1);
    return acknowledged;
  }

  async subscribe(
    interest: BusInterest,
    listener: BusListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    this.#end.begin(options);
    checkInterest(interest);
    const { first, second } = this.#options;
    return await this.#begin<BusEvent>(
      options?.signal,
      [first, second].map((bus) => (take) => bus.subscribe(interest, take)),
      listener,
      () => ({ prefix: "", id: this.#newId() }),
    );
  }

  async subscribeLease(
    lease: string,
    listener: LeaseListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    this.#end.begin(options);
    checkLeaseId(lease);
    const { first, second } = this.#options;
    return await this.#begin<LeaseEvent>(
      options?.signal,
      [first, second].map((bus) => (take) => bus.subscribeLease(lease, (event) => take([event]))),
      async (events) => {
        for (const event of events) await listener(event);
      },
      () => ({ lease, id: this.#newId(), missed: true }),
    );
  }

  async peers(): Promise<readonly BusPeer[]> {
    this.#end.begin(undefined);
    const { first, second } = this.#options;
    if (this.carries === "second" && second.supports.peers) return await second.peers();
    return await first.peers();
  }

  async health(): Promise<{ readonly ok: boolean; readonly detail?: string }> {
    this.#end.begin(undefined);
    const { first, second } = this.#options;
    if (this.carries === "first" && (await this.#works(first))) {
      return { ok: true, detail: "the first bus carries" };
    }
    const ok = await this.#works(second);
    return { ok, detail: ok ? "the second bus carries" : "neither bus works" };
  }

  onError(listener: (error: unknown) => void): () => void {
    return this.#end.onError(listener);
  }

  stats(): BusStats {
    const { published, errors } = this.#end.stats();
    const { first, second } = this.#options;
    const delivered = this.#delivered;
    const duplicates = this.#duplicates + first.stats().duplicates + second.stats().duplicates;
    return { published, delivered, duplicates, errors, subscriptions: this.#subscriptions.size };
  }

  async close(): Promise<void> {
    if (!this.#end.close()) return;
    const { first, second } = this.#options;
    await Promise.all([...this.#subscriptions].map((one) => one.end()));
    await first.close();
    // What the first has not taken goes over the second yet.
    await Promise.allSettled(this.#tries);
    await second.close();
  }

  /** By the first bus, or by the second, with what time the first has left. */
  async #carry(
    limits: PublishOptions,
    send: (bus: SyncBus, limits: PublishOptions) => Promise<void>,
  ): Promise<void> {
    const { first, second, clock, timeoutMs } = this.#options;
    const atFirst = (rest: PublishOptions): Promise<void> => {
      const work = this.#first.run(() => send(first, rest));
      this.#tries.add(work);
      const end = (): void => void this.#tries.delete(work);
      work.then(end, end);
      return work;
    };
    await carry(clock, limits, timeoutMs, atFirst, (rest) => send(second, rest));
  }

  async #begin<E extends { readonly id: string }>(
    signal: AbortSignal | undefined,
    joins: ConstructorParameters<typeof BothWays<E>>[0]["joins"],
    listener: (events: readonly E[]) => void | Promise<void>,
    missed: () => E,
  ): Promise<BusSubscription> {
    const { timers, background, timeoutMs } = this.#options;
    const subscription: BothWays<E> = new BothWays<E>({
      timers,
      background,
      joins,
      listener,
      missed,
      signal,
      patienceMs: timeoutMs,
      failed: (error) => this.#end.report(error),
      counted: (fresh, duplicates) => {
        for (const { id } of fresh) if (this.#counted.add(id)) this.#delivered++;
        this.#duplicates += duplicates;
      },
      ended: () => void this.#subscriptions.delete(subscription),
    });
    this.#subscriptions.add(subscription);
    await subscription.begun();
    return subscription;
  }

  async #works(bus: SyncBus): Promise<boolean> {
    const { timers, timeoutMs } = this.#options;
    try {
      return (await within(timers, { timeoutMs }, bus.health())).ok;
    } catch {
      return false;
    }
  }

  #named(options: PublishOptions): PublishOptions & { readonly id: string } {
    return { ...options, id: options.id === undefined ? this.#newId() : checkId(options.id) };
  }

  #newId(): string {
    const { clock, random } = this.#options;
    return uuidv7(clock, random);
  }
}
