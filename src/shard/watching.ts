import type { Sql } from "../runtime/sql.ts";
import { type PublishCallParts, PublishCalls } from "./publish-calls.ts";
import { SubscriptionTable } from "./subscription-table.ts";
import { WatchedLog, type WatchSizes } from "./watched-log.ts";

/** What a shard has for those who watch it. */
export class Watching {
  readonly publishing: PublishCalls;
  /** The log and the keys as they see them. */
  readonly log: WatchedLog;
  /** What they watch, where nothing else has room for it. */
  readonly subscriptions: SubscriptionTable;

  constructor(parts: PublishCallParts, sql: Sql, sizes: WatchSizes | undefined) {
    const { residence, published, clock } = parts;
    this.publishing = new PublishCalls(parts);
    this.log = new WatchedLog(residence, published, clock, sizes);
    this.subscriptions = new SubscriptionTable(sql, residence);
  }
}
