import { isWarpError, WarpError } from "../../errors.ts";
import { checkLeaseId } from "../../protocol/key.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { within } from "../../runtime/patience.ts";
import { Polling } from "../../upstash/polling.ts";
import { BusEnd } from "../bus-end.ts";
import { checkId, checkInterest, checkMessage, outgoing } from "../checks.ts";
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
  Outgoing,
  PublishOptions,
  SyncBus,
  SyncBusSupports,
} from "../syncbus.ts";
import { targetOf } from "../touches.ts";
import type { BusEntry } from "./bus-entry.ts";
import { BusStream, formatStreamCursor, parseStreamCursor } from "./bus-stream.ts";
import { type ResolvedUpstashBus, resolveUpstashBus, type UpstashBusOptions } from "./options.ts";
import { StreamFeed } from "./stream-feed.ts";
import { StreamSender } from "./stream-sender.ts";

const supports: SyncBusSupports = Object.freeze({
  quorum: false,
  zones: false,
  health: true,
  peers: false,
  scope: false,
  region: false,
  resume: true,
  remote: true,
});

/** A bus over a stream in Redis. */
export interface UpstashBus extends SyncBus {
  /** Behind all that this end has read, to go on there: see `UpstashBusOptions.cursor`. Undefined: nobody has listened yet. */
  readonly cursor: string | undefined;
  /**
   * Looks at the stream now, and settles when all that stood there has been given to listeners; without subscriptions it does nothing. Throws `unavailable`, `deadline_exceeded`,
   * `warp_closed`; then nothing is lost, the next look goes on there.
   */
  poll(): Promise<void>;
}

/** One node's end of a bus over a stream in Upstash Redis. Throws `invalid_argument`, `invalid_space`, `invalid_cursor`. */
export function upstashBus(options: UpstashBusOptions): UpstashBus {
  return new StreamBus(resolveUpstashBus(options));
}

class StreamBus implements UpstashBus {
  readonly supports = supports;
  readonly #options: ResolvedUpstashBus;
  readonly #end: BusEnd;
  readonly #outbox: Outbox;
  readonly #stream: BusStream;
  readonly #sender: StreamSender;
  readonly #feed: StreamFeed;
  readonly #polling: Polling;
  #joining = 0;

  constructor(options: ResolvedUpstashBus) {
    this.#options = options;
    const { redis, space, maxEntries, cursor, clock, timers, random, background } = options;
    this.#end = new BusEnd(options, options.node, () => this.#rest());
    this.#stream = new BusStream(redis, space, maxEntries);
    const parts = { stream: this.#stream, node: this.node, clock, random };
    this.#sender = new StreamSender({ ...parts, timers });
    this.#outbox = new Outbox(timers, (messages) => this.#send(messages));
    this.#feed = new StreamFeed({
      ...parts,
      cursor: cursor === undefined ? undefined : parseStreamCursor(cursor),
      take: (entries) => this.#take(entries),
      missed: (id) => this.#miss(id),
      unreadable: (error) => this.#end.report(error),
    });
    this.#polling = new Polling({
      ...options.polling,
      timers,
      random,
      background,
      look: () => this.#feed.read(),
      failed: (error) => {
        if (!this.#end.isClosed) this.#end.report(error);
      },
    });
  }

  get node(): string {
    return this.#end.node;
  }

  get cursor(): string | undefined {
    const { cursor } = this.#feed;
    return cursor === undefined ? undefined : formatStreamCursor(cursor);
  }

  async publish(message: BusMessage, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkMessage(message, supports);
    await within(this.#options.timers, options, this.#outbox.add(outgoing(message, options)));
  }

  async publishLeaseEnd(lease: string, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkLeaseId(lease);
    const id = options.id === undefined ? this.#newId() : checkId(options.id);
    // What was published before must not arrive after it.
    this.#outbox.flush();
    const sent = this.#sender.send([{ lease, id }]).then(() => this.#end.countPublished(1));
    await within(this.#options.timers, options, sent);
  }

  async publishAndAwait(): Promise<Acknowledged> {
    this.#end.begin(undefined);
    throw new WarpError("unsupported", "a stream does not tell who has acted on what it holds");
  }

  async subscribe(
    interest: BusInterest,
    listener: BusListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    this.#end.begin(options);
    checkInterest(interest);
    return await this.#following(() => this.#end.subscribe(interest, listener, options));
  }

  async subscribeLease(
    lease: string,
    listener: LeaseListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription> {
    this.#end.begin(options);
    checkLeaseId(lease);
    return await this.#following(() => this.#end.subscribeLease(lease, listener, options));
  }

  async peers(): Promise<readonly BusPeer[]> {
    this.#end.begin(undefined);
    throw new WarpError("unsupported", "a stream does not tell who reads it");
  }

  async health(): Promise<{ readonly ok: boolean; readonly detail?: string }> {
    this.#end.begin(undefined);
    try {
      await this.#stream.check();
      return { ok: true };
    } catch (error) {
      return { ok: false, detail: isWarpError(error) ? error.message : "internal" };
    }
  }

  async poll(): Promise<void> {
    this.#end.begin(undefined);
    if (this.#listens) await this.#polling.poll();
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
    this.#end.close();
    this.#polling.stop();
    await this.#sender.close();
    if (this.#options.isOwn) this.#options.redis.close();
  }

  get #listens(): boolean {
    return this.#end.stats().subscriptions > 0;
  }

  /** Subscribes once the stream is followed: what is told from then on is heard. */
  async #following(subscribe: () => BusSubscription): Promise<BusSubscription> {
    this.#joining++;
    try {
      await this.#feed.begin();
      const subscription = subscribe();
      if (this.#listens) this.#polling.start();
      return subscription;
    } finally {
      this.#joining--;
      this.#rest();
    }
  }

  /** Without a subscription nothing looks. The place is kept: whoever listens next hears what was told meanwhile, or that it is gone. */
  #rest(): void {
    if (this.#joining === 0 && !this.#listens) this.#polling.stop();
  }

  async #send(messages: readonly Outgoing[]): Promise<undefined> {
    await this.#sender.send(
      messages.map((message) => ({ ...targetOf(message), id: message.id ?? this.#newId() })),
    );
    this.#end.countPublished(messages.length);
    return undefined;
  }

  #take(entries: readonly BusEntry[]): void {
    if (this.#end.isClosed) return;
    const events = entries.flatMap((entry) => entry.events);
    if (events.length > 0) void this.#end.take(events);
    for (const event of entries.flatMap((entry) => entry.leases)) this.#end.takeLease(event);
  }

  #miss(id: string): void {
    if (this.#end.isClosed) return;
    void this.#end.take([{ prefix: "", id }]);
    this.#end.missLeases(id);
  }

  #newId(): string {
    const { clock, random } = this.#options;
    return uuidv7(clock, random);
  }
}
