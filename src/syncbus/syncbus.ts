/**
 * The contract of the bus on which nodes tell each other what they changed. One file, one contract; drivers live in the folders beside it, and
 * `test/contract/syncbus.ts` holds each of them to every line here.
 */

import type { CallLimits } from "../runtime/call-limits.ts";

/** What a driver can do; a missing ability is refused with `unsupported`, and that refusal is tested. */
export interface SyncBusSupports {
  /** `publishAndAwait` counts acknowledgements of distinct nodes. */
  readonly quorum: boolean;
  /** Nodes have zones: `minZones`. */
  readonly zones: boolean;
  /** `health` says more than that the bus is open. */
  readonly health: boolean;
  /** `peers` lists who is there. */
  readonly peers: boolean;
  /** Events of scope `local` stay in the region. */
  readonly scope: boolean;
  /** Events carry a region and a vector clock. */
  readonly region: boolean;
  /**
   * What was missed while the way was broken is fetched afterwards, by its place in the shards' log or in a stream, so that no event is lost. Without, what is
   * sent while an end is cut off never reaches it.
   */
  readonly resume: boolean;
  /** Reaches other processes. */
  readonly remote: boolean;
}

/** What changed. */
export type BusTarget = { readonly key: string } | { readonly prefix: string } | { readonly tag: string };

/** What a node tells the others. */
export type BusMessage = BusTarget & {
  /** `local` stays in the region of the node, `global` (default) crosses. */
  readonly scope?: "local" | "global";
};

/**
 * A message as it arrives. Where a bus can't say what an end missed, it says so by an event of the empty prefix: everything may have changed.
 */
export type BusEvent = BusMessage & {
  /** Unique; a repeated delivery has the same one and is dropped by the driver. */
  readonly id: string;
  /** The node that published it, where the bus tells. A node does not hear itself. */
  readonly node?: string;
  readonly region?: string;
  readonly vector?: Readonly<Record<string, number>>;
  /** Where it stands in a shard's log, where the bus is one. */
  readonly position?: { readonly shard: number; readonly epoch: string; readonly revision: number };
};

/** The end of a lease as it arrives. */
export interface LeaseEvent {
  readonly lease: string;
  /** Unique; a repeated delivery has the same one and is dropped by the driver. */
  readonly id: string;
  /** The node that told of it, where the bus tells. A node does not hear itself. */
  readonly node?: string;
  /** The bus can't say what happened meanwhile: the lease may have ended, ask its driver. */
  readonly missed?: true;
}

/** Takes the end of a lease. What it throws is told to `onError`. */
export type LeaseListener = (event: LeaseEvent) => void | Promise<void>;

/** Options of a publication. `timeoutMs`: 1 to 120,000; default none for `publish` (a bus that never answers is waited for), 10,000 for `publishAndAwait`. */
export interface PublishOptions extends CallLimits {
  /**
   * The event's id, by which a publication over two ways is known as one: 1 to 128 visible ASCII characters. Default: one of the bus's own. A bus whose events are entries of a
   * log has ids of its own and ignores it.
   */
  readonly id?: string;
}

/** A message on its way out, with its id where it was given one. */
export type Outgoing = BusMessage & { readonly id?: string };

/** How many must have acted before a publication counts. */
export interface Quorum {
  /** Distinct other nodes: 1 to 64. */
  readonly nodes: number;
  /** Distinct zones among them: 1 to 16, not more than `nodes`. */
  readonly minZones?: number;
}

/** Who acknowledged. */
export interface Acknowledged {
  readonly nodes: readonly string[];
  readonly zones: readonly string[];
}

/** A member of the bus. */
export interface BusPeer {
  readonly node: string;
  readonly zone?: string;
  readonly region?: string;
}

/** What a subscriber listens to: an exact key, or all keys with a prefix (empty: all). Prefix and tag events reach every subscriber whose keys they may touch. */
export type BusInterest = { readonly key: string } | { readonly prefix: string };

/**
 * Takes a burst of events in order, one burst at a time. What it returns is waited for before the burst is acknowledged; what it throws is no
 * acknowledgement, and is told to `onError`.
 */
export type BusListener = (events: readonly BusEvent[]) => void | Promise<void>;

/** A subscription. */
export interface BusSubscription {
  /** Ends it; idempotent. Nothing is delivered afterwards. */
  end(): Promise<void>;
}

/** Figures of this end since it was made. */
export interface BusStats {
  /** Messages that the bus took from this node. */
  readonly published: number;
  /** Events given to at least one listener of this node. */
  readonly delivered: number;
  /** Repeated deliveries that were dropped. */
  readonly duplicates: number;
  /** Failures told to `onError`. */
  readonly errors: number;
  readonly subscriptions: number;
}

/**
 * One node's end of the bus. A publication of a key is never swallowed because another one of it is pending (rule SB4); bursts are sent together, the
 * first message at once, the rest within 16 ms (rule SB7).
 */
export interface SyncBus {
  readonly supports: SyncBusSupports;
  /** The node that this end of the bus belongs to. */
  readonly node: string;
  /**
   * Settles once the bus has taken it. Throws `unavailable`, `deadline_exceeded` and `aborted` (it may have been sent), `overloaded`, `invalid_key`,
   * `invalid_argument`; `unsupported` for scope `local` without `supports.scope`.
   */
  publish(message: BusMessage, options?: PublishOptions): Promise<void>;
  /**
   * Settles once so many other nodes have acted on it (rule SB5). Throws `quorum_failed`: at once where too few members are reachable, else at the
   * deadline. `unsupported` without `supports.quorum`, and for `minZones` without `supports.zones`.
   */
  publishAndAwait(message: BusMessage, quorum: Quorum, options?: PublishOptions): Promise<Acknowledged>;
  /** Begins to listen: what is published from when this settles on is heard. Ends with the signal, too. */
  subscribe(
    interest: BusInterest,
    listener: BusListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription>;
  /**
   * Tells the others that a lease has ended. Where the bus is the shards' log it is the shards that say so: there it ends the lease (a revoke), and a lease that is
   * unknown or has ended already is none of its errors. Settles and throws as {@link publish}; `invalid_argument` for what is no lease's id.
   */
  publishLeaseEnd(lease: string, options?: PublishOptions): Promise<void>;
  /** Begins to listen for the end of one lease, as {@link subscribe} does for keys. */
  subscribeLease(
    lease: string,
    listener: LeaseListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription>;
  /** Who else is there. `unsupported` without `supports.peers`. */
  peers(): Promise<readonly BusPeer[]>;
  /** Whether it works now; without `supports.health` only whether it is open. */
  health(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** Takes each failure that no caller sees. The answer takes it back. */
  onError(listener: (error: unknown) => void): () => void;
  stats(): BusStats;
  /** Sends what waits, ends every subscription; idempotent. Calls after it are `warp_closed`. */
  close(): Promise<void>;
}
