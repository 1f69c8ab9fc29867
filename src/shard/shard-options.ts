import type { RelayApi } from "../protocol/relay.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Home } from "./admission.ts";
import type { BackingRegistry } from "./behind.ts";
import type { FallbackRegistry } from "./follow-slot.ts";
import type { LeasePeers } from "./lease/peers.ts";
import type { Report } from "./report.ts";
import type { ResidenceOptions } from "./residence.ts";
import type { WatchSizes } from "./watched-log.ts";

/** What a shard is made of. */
export interface ShardOptions extends ResidenceOptions {
  /** Settles when all that was written is durable. */
  readonly durable: () => Promise<void>;
  /** Bytes that the database takes. */
  readonly databaseBytes: () => number;
  readonly home: (space: string) => Home;
  /** The other shards of the space, for leases. Default: there is no way to them. */
  readonly peer?: LeasePeers;
  /** For those who wait for another's load, and for strong writes that wait for holders. */
  readonly timers: Timers;
  /**
   * Time as it passes, for leases and the barrier: never backwards, and at a rate that is right to 1 %. Default: `clock`, kept from
   * running backwards.
   */
  readonly elapsed?: Clock;
  /** How much watchers are told at a time. */
  readonly watchSizes?: WatchSizes;
  /** A way to the relay of this name that no earlier exception has broken. Absent: there are no relays. */
  readonly relay?: (name: string) => RelayApi;
  /** Watchers of one relay. Default 1,000. */
  readonly relayRoom?: number;
  /** The storages that spaces may have behind their shards. Absent: none. */
  readonly backings?: BackingRegistry;
  /** The ways around shards that can't be reached. Absent: none. */
  readonly fallbacks?: FallbackRegistry;
  /** Takes what an operator should know. Default: nobody does. */
  readonly report?: Report;
  /** See `GroupCommitOptions`. */
  readonly groupCommit?: boolean;
}
