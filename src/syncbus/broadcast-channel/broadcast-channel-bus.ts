import { WarpError } from "../../errors.ts";
import { checkLeaseId } from "../../protocol/key.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { within } from "../../runtime/patience.ts";
import { BusEnd, type BusHost } from "../bus-end.ts";
import { checkId, checkMessage, outgoing } from "../checks.ts";
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
import { type BurstFrame, readFrame } from "./frames.ts";

const supports: SyncBusSupports = Object.freeze({
  quorum: false,
  zones: false,
  health: false,
  peers: false,
  scope: false,
  region: false,
  resume: false,
  remote: true,
});

/** The parts of a `BroadcastChannel` that the bus uses. */
export interface Channel {
  postMessage(data: unknown): void;
  addEventListener(
    type: "message" | "messageerror",
    listener: (event: { readonly data?: unknown }) => void,
  ): void;
  close(): void;
}

/** What {@link broadcastChannelBus} takes. */
export interface BroadcastChannelBusOptions extends BusHost {
  /**
   * The node's own channel, for nothing else: `new BroadcastChannel("warp:myspace")`. The bus closes it. Channels of one name hear each other: tabs and
   * workers of one origin in a browser, threads of one process in Node.
   */
  readonly channel: Channel;
  /** Unique; default random. */
  readonly node?: string;
}

/** One node's end of a bus between the pages and workers of one origin. */
export function broadcastChannelBus(options: BroadcastChannelBusOptions): SyncBus {
  return new BroadcastChannelBus(options);
}

class BroadcastChannelBus implements SyncBus {
  readonly supports = supports;
  readonly #host: BusHost;
  readonly #channel: Channel;
  readonly #end: BusEnd;
  readonly #outbox: Outbox;

  constructor(options: BroadcastChannelBusOptions) {
    this.#host = options;
    this.#channel = options.channel;
    this.#end = new BusEnd(options, options.node);
    this.#outbox = new Outbox(options.timers, (messages) => this.#send(messages));
    this.#channel.addEventListener("message", ({ data }) => this.#receive(data));
    this.#channel.addEventListener("messageerror", () =>
      this.#end.report(new WarpError("invalid_frame", "a message on the channel could not be read")),
    );
  }

  get node(): string {
    return this.#end.node;
  }

  async publish(message: BusMessage, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkMessage(message, supports);
    await within(this.#host.timers, options, this.#outbox.add(outgoing(message, options)));
  }

  async publishLeaseEnd(lease: string, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkLeaseId(lease);
    const { clock, random } = this.#host;
    const id = options.id === undefined ? uuidv7(clock, random) : checkId(options.id);
    // What was published before must not arrive after it.
    this.#outbox.flush();
    this.#post({ warp: 1, node: this.node, events: [], leases: [{ lease, id }] });
    this.#end.countPublished(1);
  }

  async publishAndAwait(): Promise<Acknowledged> {
    this.#end.begin(undefined);
    throw new WarpError("unsupported", "a broadcast channel does not tell who has heard");
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
    throw new WarpError("unsupported", "a broadcast channel does not tell who is there");
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
    this.#end.close();
    this.#channel.close();
  }

  #send(messages: readonly Outgoing[]): undefined {
    const { clock, random } = this.#host;
    const events = messages.map((message) => ({
      ...targetOf(message),
      id: message.id ?? uuidv7(clock, random),
    }));
    this.#post({ warp: 1, node: this.node, events });
    this.#end.countPublished(messages.length);
    return undefined;
  }

  #post(frame: BurstFrame): void {
    try {
      this.#channel.postMessage(frame);
    } catch (error) {
      throw WarpError.from(error, "unavailable", "the channel takes no messages");
    }
  }

  #receive(data: unknown): void {
    if (this.#end.isClosed) return;
    try {
      const { node, events, leases } = readFrame(data);
      if (node === this.node) return;
      void this.#end.take(events);
      for (const event of leases) this.#end.takeLease(event);
    } catch (error) {
      // A page of another version of the program, or a stranger on the channel.
      this.#end.report(error);
    }
  }
}
