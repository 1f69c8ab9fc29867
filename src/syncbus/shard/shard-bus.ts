import type { SpaceClient } from "../../connection/space-client.ts";
import { isWarpError, WarpError } from "../../errors.ts";
import { checkLeaseId } from "../../protocol/key.ts";
import type { Pushes } from "../../protocol/pushes.ts";
import type { Change, Mutation } from "../../protocol/shard-api.ts";
import { within } from "../../runtime/patience.ts";
import { BusEnd, type BusHost } from "../bus-end.ts";
import { checkInterest, checkMessage } from "../checks.ts";
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
  SyncBus,
  SyncBusSupports,
} from "../syncbus.ts";
import { everything, toEvents, toMutation } from "./events.ts";
import { LogFeed } from "./log-feed.ts";
import { OwnEntries } from "./own-entries.ts";
import { OwnLeaseEnds } from "./own-lease-ends.ts";

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

/** What {@link shardBus} takes. Client and pushes are lent: the bus does not close them. */
export interface ShardBusOptions extends BusHost {
  readonly client: Pick<SpaceClient, "space" | "shards" | "mutate" | "changes" | "run">;
  /** What the shards push to this node. */
  readonly pushes: Pushes;
  /** Unique; default random. */
  readonly node?: string;
  /** Whose op ids the publications have. Default `"bus"`. */
  readonly subject?: string;
}

/**
 * One node's end of the bus that a space's logs are: a publication is an invalidation, one log entry, and every entry of the log is an event, whoever wrote
 * it. The space comes into being with the first publication; to subscribe before is `space_not_found`.
 */
export function shardBus(options: ShardBusOptions): SyncBus {
  return new ShardBus(options);
}

class ShardBus implements SyncBus {
  readonly supports = supports;
  readonly #options: ShardBusOptions;
  readonly #end: BusEnd;
  readonly #outbox: Outbox;
  readonly #feed: LogFeed;
  readonly #own = new OwnEntries();
  readonly #leases: OwnLeaseEnds;
  /** The delivery of each shard, in its order. */
  readonly #deliveries = new Map<number, Promise<void>>();
  #joining = 0;

  constructor(options: ShardBusOptions) {
    this.#options = options;
    const { client, pushes, timers } = options;
    this.#end = new BusEnd(options, options.node, () => this.#rest());
    this.#leases = new OwnLeaseEnds(options, options.subject ?? "bus");
    this.#outbox = new Outbox(timers, (messages) => this.#send(messages));
    this.#feed = new LogFeed(client, pushes, timers, {
      entries: (shard, epoch, changes) => this.#deliver(shard, epoch, changes),
      everything: (position) =>
        this.#inOrder(position.shard, () => {
          const event = everything(position);
          void this.#end.take([event]);
          this.#end.missLeases(event.id);
        }),
      repeated: (count) => this.#end.countDuplicates(count),
      failed: (error) => this.#end.report(error),
    });
  }

  get node(): string {
    return this.#end.node;
  }

  async publish(message: BusMessage, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkMessage(message, supports);
    await within(this.#options.timers, options, this.#outbox.add(message));
  }

  async publishLeaseEnd(lease: string, options: PublishOptions = {}): Promise<void> {
    this.#end.begin(options);
    checkLeaseId(lease);
    this.#outbox.flush();
    await within(this.#options.timers, options, this.#leases.end(lease));
    this.#end.countPublished(1);
  }

  async publishAndAwait(): Promise<Acknowledged> {
    this.#end.begin(undefined);
    throw new WarpError(
      "unsupported",
      "a shard waits for a quorum where the key's registration says so (quorum, minZones): invalidate the key",
    );
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
    throw new WarpError("unsupported", "the log does not tell who reads it");
  }

  async health(): Promise<{ readonly ok: boolean; readonly detail?: string }> {
    this.#end.begin(undefined);
    const { client } = this.#options;
    try {
      const space = await client.space();
      const shards = Array.from({ length: space?.shards ?? 0 }, (_, shard) =>
        client.changes({ shard, epoch: "0".repeat(16), revision: 0 }),
      );
      await Promise.all(shards);
      return { ok: true };
    } catch (error) {
      return { ok: false, detail: isWarpError(error) ? error.code : "internal" };
    }
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
    this.#rest();
  }

  /** Subscribes once the logs are followed. */
  async #following(subscribe: () => BusSubscription): Promise<BusSubscription> {
    this.#joining++;
    try {
      // Another's subscription may have ended, and the feed with it, while this one waited.
      while (!this.#feed.isRunning) await this.#feed.start();
      return subscribe();
    } finally {
      this.#joining--;
      this.#rest();
    }
  }

  /** Without a subscription nothing is followed. */
  #rest(): void {
    if (this.#joining > 0 || this.#end.stats().subscriptions > 0) return;
    this.#feed.stop();
    this.#own.clear();
    this.#leases.clear();
  }

  async #send(messages: readonly BusMessage[]): Promise<ReadonlyMap<number, unknown>> {
    const mutations = messages.map((message) =>
      toMutation(message, this.#options, this.#options.subject ?? "bus"),
    );
    const work = this.#mutate(mutations);
    this.#own.sending(mutations, work);
    const failures = await work;
    this.#end.countPublished(messages.length - failures.size);
    return failures;
  }

  /** Carries the mutations out, each once: op ids make it safe to repeat a call of unknown fate. */
  async #mutate(mutations: readonly Mutation[]): Promise<ReadonlyMap<number, unknown>> {
    const { client } = this.#options;
    const answers = await client.mutate(mutations).catch((error: unknown) => {
      if (!isWarpError(error, "unavailable")) throw error;
      return client.mutate(mutations);
    });
    const failures = new Map<number, unknown>();
    for (const [at, parts] of answers.entries()) {
      for (const { answer, asOf } of parts) {
        if (answer.outcome === "fail") failures.set(at, WarpError.fromData(answer.error));
        else if (this.#feed.isRunning) this.#own.note(asOf, answer.revision);
      }
    }
    return failures;
  }

  #deliver(shard: number, epoch: string, changes: readonly Change[]): void {
    this.#inOrder(shard, async () => {
      await this.#own.waitFor(changes);
      void this.#end.take(toEvents(shard, epoch, this.#own.others(shard, epoch, changes)));
      for (const event of this.#leases.others(shard, epoch, changes)) this.#end.takeLease(event);
    });
  }

  #inOrder(shard: number, deliver: () => void | Promise<void>): void {
    const before = this.#deliveries.get(shard) ?? Promise.resolve();
    this.#deliveries.set(shard, before.then(deliver));
  }
}
