import type { Clock, Timers } from "../runtime/clock.ts";
import { defaultRelayWatchers } from "../runtime/relay-limits.ts";
import { PresenceBoard } from "./hub/presence/presence-board.ts";
import { type PublishCallParts, PublishCalls } from "./publish-calls.ts";
import { Relays } from "./relay-feed/relays.ts";
import type { ShardOptions } from "./shard-options.ts";
import { SnapshotSupply } from "./snapshot-supply.ts";
import { SubscriptionTable } from "./subscription-table.ts";
import { WatchedLog } from "./watched-log.ts";

/** What {@link Watching} is made of. */
export interface WatchingParts extends PublishCallParts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Draws a new epoch. */
  readonly renew: () => Promise<void>;
}

/** What a shard has for those who watch it. */
export class Watching {
  readonly publishing: PublishCalls;
  /** The log and the keys as they see them. */
  readonly log: WatchedLog;
  /** What they watch, where nothing else has room for it. */
  readonly subscriptions: SubscriptionTable;
  /** Who is shown where, here and at the relays. */
  readonly presence = new PresenceBoard();
  /** Those who serve watchers in its place. */
  readonly relays: Relays;

  constructor(
    parts: WatchingParts,
    { sql, watchSizes, durable, relay, relayRoom = defaultRelayWatchers }: ShardOptions,
  ) {
    const { residence, published, clock, timers, admission } = parts;
    const supply = new SnapshotSupply(admission.behind, timers, () => published.wake());
    this.publishing = new PublishCalls(parts);
    this.log = new WatchedLog(residence, published, clock, supply, watchSizes);
    this.subscriptions = new SubscriptionTable(sql, residence);
    const { presence } = this;
    this.relays = new Relays({ ...parts, presence, log: this.log, sql, durable, relay, room: relayRoom });
  }
}
