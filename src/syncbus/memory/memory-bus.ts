import { checkLeaseId } from "../../protocol/key.ts";
import { defaultTimeoutMs } from "../../runtime/limits.ts";
import { within } from "../../runtime/patience.ts";
import { BusEnd } from "../bus-end.ts";
import { checkId, checkMessage, checkQuorum, outgoing } from "../checks.ts";
import { Outbox } from "../outbox.ts";
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
import type { MemoryBusHub } from "./memory-bus-hub.ts";
import { Count, distinct, meets, quorumFailed } from "./receipts.ts";

const supports: SyncBusSupports = Object.freeze({
  quorum: true,
  zones: true,
  health: false,
  peers: true,
  scope: true,
  region: true,
  resume: false,
  remote: false,
});

/** What {@link memoryBus} takes. */
export interface MemoryBusOptions {
  /** The region that the node is in; nodes that share it, or reach it by bridges, hear each other. */
  readonly hub: MemoryBusHub;
  /** Unique; default random. */
  readonly node?: string;
  readonly zone?: string;
}

/** One node's end of a bus inside this process. It loses nothing and reorders nothing. */
export function memoryBus(options: MemoryBusOptions): SyncBus {
  return new MemoryBus(options);
}

class MemoryBus implements SyncBus {
  readonly supports = supports;
  readonly #hub: MemoryBusHub;
  readonly #peer: BusPeer;
  readonly #end: BusEnd;
  readonly #outbox: Outbox;
  readonly #leave: () => void;

  constructor({ hub, node, zone }: MemoryBusOptions) {
    this.#hub = hub;
    this.#end = new BusEnd(hub.host, node);
    this.#peer = { node: this.#end.node, region: hub.region, ...(zone === undefined ? {} : { zone }) };
    this.#leave = hub.join({ end: this.#end, peer: this.#peer });
    this.#outbox = new Outbox(hub.host.timers, (messages) => {
      this.#hub.publish(messages, this.#peer);
      this.#end.countPublished(messages.length);
      return undefined;
    });
  }

  get node(): string {
    return this.#end.node;
  }

  async publish(message: BusMessage, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkMessage(message, supports);
    await within(this.#hub.host.timers, options, this.#outbox.add(outgoing(message, options)));
  }

  async publishLeaseEnd(lease: string, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkLeaseId(lease);
    const id = options.id === undefined ? undefined : checkId(options.id);
    // What was published before must not arrive after it.
    this.#outbox.flush();
    this.#hub.publishLeaseEnd(lease, this.#peer, id);
    this.#end.countPublished(1);
  }

  async publishAndAwait(
    message: BusMessage,
    quorum: Quorum,
    options: PublishOptions = {},
  ): Promise<Acknowledged> {
    this.#end.begin(options);
    checkMessage(message, supports);
    const wanted = checkQuorum(quorum);
    const sent = outgoing(message, options);
    const there = distinct(
      this.#hub
        .peers(message.scope ?? "global", this.node)
        .filter(({ end }) => end.listens(message))
        .map(({ peer }) => peer),
    );
    // Nothing is sent that could not succeed.
    if (!meets(there, wanted)) throw quorumFailed("too few nodes listen", there, wanted);
    // What was published before must not arrive after it.
    this.#outbox.flush();
    const count = new Count(this.#hub.publish([sent], this.#peer), wanted);
    this.#end.countPublished(1);
    const limits = { timeoutMs: defaultTimeoutMs, ...options };
    return await within(this.#hub.host.timers, limits, count.met, () =>
      count.failed(`not met within ${limits.timeoutMs} ms`),
    );
  }

  async subscribe(
    interest: BusInterest,
    listener: BusListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    return this.#end.subscribe(interest, listener, options);
  }

  async subscribeLease(
    lease: string,
    listener: LeaseListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    return this.#end.subscribeLease(lease, listener, options);
  }

  async peers(): Promise<readonly BusPeer[]> {
    this.#end.begin(undefined);
    return this.#hub.peers("global", this.node).map(({ peer }) => peer);
  }

  async health(): Promise<{ readonly ok: boolean }> {
    this.#end.begin(undefined);
    return { ok: true };
  }

  onError(listener: (error: unknown) => void): () => void {
    return this.#end.onError(listener);
  }

  stats(): BusStats {
    return this.#end.stats();
  }

  async close(): Promise<void> {
    if (this.#end.isClosed) return;
    this.#outbox.close();
    this.#leave();
    this.#end.close();
  }
}
