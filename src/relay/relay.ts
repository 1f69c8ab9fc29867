import type { WarpError } from "../errors.ts";
import type { RelayPresence } from "../protocol/presence.ts";
import {
  type RelayApi,
  type RelayBatch,
  type RelayFeed,
  type RelayReport,
  type RelayShardApi,
  relayName,
} from "../protocol/relay.ts";
import type { ShardApi } from "../protocol/shard-api.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import { randomHex } from "../runtime/ids.ts";
import type { Random } from "../runtime/random.ts";
import { relayCheckMs } from "../runtime/relay-limits.ts";
import type { Sql } from "../runtime/sql.ts";
import { steadyClock } from "../runtime/steady-clock.ts";
import { type AlarmPort, Alarms, type DueSource, dueOf } from "../shard/alarms.ts";
import type { HubShard, HubWatching } from "../shard/hub/hub-options.ts";
import { PresenceBoard } from "../shard/hub/presence/presence-board.ts";
import type { LogListener } from "../shard/published-log.ts";
import { SubscriptionTable } from "../shard/subscription-table.ts";
import type { WatchSizes } from "../shard/watch-source.ts";
import { defaultSizes } from "../shard/watched-log.ts";
import { forwarded } from "./forwarded.ts";
import { PresenceReport } from "./presence-report.ts";
import { RelayLog } from "./relay-log.ts";
import { type RelayIdentity, RelayStore } from "./relay-store.ts";
import { Replica, type ReplicaSize } from "./replica.ts";

/** What a {@link Relay} is made of. */
export interface RelayOptions {
  /** A database of its own. */
  readonly sql: Sql;
  /** Wall clock. */
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly alarm: AlarmPort;
  /** A way to its shard that no earlier exception has broken. */
  readonly shard: (space: string, shard: number) => ShardApi & RelayShardApi;
  /** What an exception on that way means. */
  readonly fault: (error: unknown) => WarpError;
  /** Takes what failed where nobody waits. */
  readonly report: (error: unknown) => void;
  /** How much watchers are told at a time. */
  readonly sizes?: WatchSizes;
  /** How much of the log it keeps. */
  readonly replicaSize?: ReplicaSize;
}

/**
 * Serves watchers in the place of a shard: a hub's shard that is elsewhere. It is fed by the shard from its first watcher to its last; what it knows is in memory
 * only, and an instance that wakes begins where the next feed, or the shard's answer, puts it. Where its watchers stand is with their sockets.
 */
export class Relay implements RelayApi, DueSource {
  /** What its hub works on. */
  readonly shard: HubShard;
  readonly #options: RelayOptions;
  readonly #replica: Replica;
  readonly #store: RelayStore;
  readonly #alarms: Alarms;
  readonly #presence: PresenceReport;
  #hubDue: DueSource | undefined;
  #sessions: () => number = () => 0;
  #listener: LogListener | undefined;
  /** Whether this instance has heard from the shard that it is fed. */
  #isAttached = false;
  /** See `RelayReport`. */
  #turn: string | undefined;
  #attaching: Promise<void> | undefined;
  #leaving: Promise<void> | undefined;
  /** How many sessions the shard was told of, and when it was last heard: an instance that its alarm wakes has heard nothing, and asks. */
  #told = 0;
  #heardAtMs = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { sql, clock, timers, alarm, report } = options;
    this.#store = new RelayStore(sql);
    this.#replica = new Replica(options.replicaSize);
    this.#alarms = new Alarms(alarm, [dueOf(() => this.#hubDue), this]);
    const elapsed = steadyClock(clock);
    const log = new RelayLog({
      replica: this.#replica,
      sizes: options.sizes ?? defaultSizes,
      pull: (after) => this.#pull(after),
      state: (request) => this.#asked(this.#upstream().relayState(request)),
      answered: () => this.#listener?.grown(),
      elapsed,
      timers,
      report,
    });
    const board = new PresenceBoard();
    this.#presence = new PresenceReport({
      board,
      isWanted: () => this.#sessions() > 0,
      ready: () => this.ready(),
      send: (presence) => this.#pull(undefined, presence),
      timers,
    });
    const isOpen = () => this.#store.identity !== undefined;
    const table = new SubscriptionTable(sql, { open: () => (isOpen() ? this : undefined) });
    this.shard = this.#asShard({ log, subscriptions: table, presence: board }, elapsed);
  }

  /** Who has how many sessions here. To be told before anything else. */
  count(sessions: () => number): void {
    this.#sessions = sessions;
  }

  /** Whose relay it is: to be told before it takes somebody in. */
  begin(identity: RelayIdentity): void {
    this.#store.begin(identity);
  }

  /** Settles when it knows where its shard's log ends and is fed from there; undefined: it does. Rejects where the shard can't be reached. */
  ready(): Promise<void> | undefined {
    return this.#isAttached && this.#replica.position !== undefined ? undefined : this.#attachOnce();
  }

  #attachOnce(): Promise<void> {
    this.#attaching ??= this.#attach().finally(() => {
      this.#attaching = undefined;
    });
    return this.#attaching;
  }

  async feed(feed: RelayFeed): Promise<RelayReport> {
    this.#turn ??= feed.turn;
    if (feed.ended) this.#listener?.ended();
    else if (this.#wanted > 0) this.#take(feed);
    if (feed.asks) this.#presence.again();
    // It was told that nobody is here, and has missed it.
    if (this.#wanted === 0) this.#leave();
    return this.#report();
  }

  /** Fewer sessions are open than before. */
  left(): void {
    const sessions = this.#sessions();
    if (sessions === 0) this.#leave();
    else if (this.#isAttached && sessions < this.#told - Math.max(16, this.#told / 8)) {
      // If it does not arrive the next one says it.
      this.#pull().catch(() => undefined);
    }
  }

  /** When it asks whether its shard still knows it: a backup that was restored there may not. */
  nextMs(): number | undefined {
    return this.#isAttached || this.#sessions() > 0 ? this.#heardAtMs + relayCheckMs : undefined;
  }

  run(): void {
    this.#heardAtMs = this.#options.clock.now();
    this.#attachOnce().catch(this.#options.report);
  }

  /** The host's alarm went off. */
  onAlarm(): void {
    this.#alarms.ring(this.#options.clock.now());
    this.#alarms.arm();
  }

  #take({ batch, messages, missed, presence }: RelayFeed): void {
    this.#heardAtMs = this.#options.clock.now();
    if (this.#replica.apply(batch)) this.#listener?.grown();
    if (missed > 0) this.#listener?.missed?.(missed);
    for (const message of messages) this.#listener?.told?.(message);
    if (presence) this.#presence.take(presence);
  }

  async #attach(): Promise<void> {
    await this.#leaving;
    const { position } = this.#replica;
    if (this.#replica.apply(await this.#pull(position?.revision), position?.epoch)) this.#listener?.grown();
    this.#isAttached = true;
    this.#presence.again();
    this.#alarms.arm();
  }

  /** Nobody is here. Whoever comes meanwhile waits until that is said. */
  #leave(): void {
    // Somebody is about to come in, or nobody is here already.
    if (this.#attaching !== undefined || this.#leaving !== undefined) return;
    const turn = this.#turn;
    this.#isAttached = false;
    this.#turn = undefined;
    this.#replica.clear();
    const presence = this.#presence.leave();
    // An instance that woke for this end alone does not know what it ends: the next feed tells it.
    if ((turn ?? presence) === undefined) return;
    this.#leaving = this.#upstream()
      .pullRelay({ ...this.#place(), sessions: 0, ...(turn && { turn }), ...(presence && { presence }) })
      // If it does not arrive the next feed leads here again.
      .then(
        () => undefined,
        () => presence && this.#presence.lost(presence),
      )
      .finally(() => {
        this.#leaving = undefined;
      });
  }

  /** Asks for a piece of the log, and says where it stands. */
  async #pull(after?: number, presence?: RelayPresence): Promise<RelayBatch> {
    this.#turn ??= randomHex(this.#options.random, 8);
    const asked = {
      ...this.#place(),
      ...this.#report(),
      ...(after === undefined ? {} : { after }),
      ...(presence && { presence }),
    };
    const batch = await this.#asked(this.#upstream().pullRelay(asked));
    this.#heardAtMs = this.#options.clock.now();
    return batch;
  }

  async #asked<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      throw this.#options.fault(error);
    }
  }

  /** How many sessions it is fed for: who is about to come in counts as well. */
  get #wanted(): number {
    return this.#sessions() || (this.#attaching ? 1 : 0);
  }

  #report(): RelayReport {
    const { position: at } = this.#replica;
    const sessions = this.#wanted;
    this.#told = sessions;
    const turn = this.#turn;
    return { sessions, ...(at === undefined ? {} : { at }), ...(turn === undefined ? {} : { turn }) };
  }

  #place(): { readonly relay: number; readonly name: string } {
    const { space = "", shard = 0, relay = 0 } = this.#store.identity ?? {};
    return { relay, name: relayName(space, shard, relay) };
  }

  #upstream(): ShardApi & RelayShardApi {
    const { space = "", shard = 0 } = this.#store.identity ?? {};
    return this.#options.shard(space, shard);
  }

  #asShard(watching: HubWatching, elapsed: Clock): HubShard {
    const replica = this.#replica;
    const own: Omit<HubShard, keyof ShardApi> = {
      published: {
        get position() {
          return watching.log.position;
        },
        // Nobody follows a relay.
        page: () => undefined,
        isBehind: () => false,
        listen: (listener) => {
          this.#listener = listener;
          return () => {};
        },
      },
      watching,
      elapsed,
      get shards() {
        return replica.shards;
      },
      serve: () => ({ grant: async () => undefined, giveBack: () => {}, leaseUntilMs: () => -Infinity }),
      serveLocks: () => () => {},
      wakeFor: (source) => {
        this.#hubDue = source;
        return () => this.#alarms.arm();
      },
      renew: async () => {},
    };
    const calls = forwarded(() => this.#upstream(), this.#options.fault);
    return new Proxy(own as HubShard, {
      get: (target, name) => (name in target ? Reflect.get(target, name) : Reflect.get(calls, name)),
    });
  }
}
