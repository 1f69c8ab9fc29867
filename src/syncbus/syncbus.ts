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
  /** Events carry log positions, and a subscriber can resume from one. */
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

/** A message as it arrives. */
export type BusEvent = BusMessage & {
  /** Unique; a repeated delivery has the same one and is dropped by the driver. */
  readonly id: string;
  /** The node that published it. A node does not hear itself. */
  readonly node: string;
  readonly region?: string;
  readonly vector?: Readonly<Record<string, number>>;
  /** Where it stands in a shard's log, where the bus is one. */
  readonly position?: { readonly shard: number; readonly epoch: string; readonly revision: number };
};

/** Options of a publication. `timeoutMs` default none: a bus that never answers is waited for. */
export interface PublishOptions extends CallLimits {}

/** How many must have acted before a publication counts. */
export interface Quorum {
  /** Distinct other nodes: 1 to 64. */
  readonly nodes: number;
  /** Distinct zones among them: 1 to 16. */
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

/** Takes a burst of events in order. What it returns is waited for before the burst is acknowledged; what it throws is no acknowledgement. */
export type BusListener = (events: readonly BusEvent[]) => void | Promise<void>;

/** A subscription. */
export interface BusSubscription {
  /** Ends it; idempotent. Nothing is delivered afterwards. */
  end(): Promise<void>;
}

/** Figures since the bus was made. */
export interface BusStats {
  readonly published: number;
  readonly delivered: number;
  /** Repeated deliveries that were dropped. */
  readonly duplicates: number;
  readonly errors: number;
  readonly subscriptions: number;
}

/** The bus. A publication of a key is never swallowed because another one of it is pending (rule SB4). */
export interface SyncBus {
  readonly supports: SyncBusSupports;
  /** The node that this end of the bus belongs to. */
  readonly node: string;
  /** Settles once the bus has taken it. Throws `unavailable`, `deadline_exceeded`, `aborted`, `unsupported`. */
  publish(message: BusMessage, options?: PublishOptions): Promise<void>;
  /**
   * Settles once so many other nodes have acted on it (rule SB5). Throws `quorum_failed`: at once where too few members are reachable, else at the
   * deadline. `unsupported` without `supports.quorum`, and for `minZones` without `supports.zones`.
   */
  publishAndAwait(message: BusMessage, quorum: Quorum, options?: PublishOptions): Promise<Acknowledged>;
  /** Begins to listen. Ends with the signal, too. */
  subscribe(
    interest: BusInterest,
    listener: BusListener,
    options?: { readonly signal?: AbortSignal },
  ): Promise<BusSubscription>;
  /** Who else is there. `unsupported` without `supports.peers`. */
  peers(): Promise<readonly BusPeer[]>;
  /** Whether it works now. */
  health(): Promise<{ readonly ok: boolean; readonly detail?: string }>;
  /** Takes each failure that no caller sees. The answer takes it back. */
  onError(listener: (error: unknown) => void): () => void;
  stats(): BusStats;
  /** Ends every subscription; idempotent. Calls after it are `warp_closed`. */
  close(): Promise<void>;
}
