import type { AdaptiveTtl, FrequencyTtl, HistoryPolicy, Mode } from "../protocol/registration.ts";

/** The policy of a key pattern, as a caller writes it; what is left out takes its default. */
export interface RegistrationOptions {
  /** Default `"eventual"`. go-warp's `StrongLocal`, `EventualDistributed`, `StrongDistributed` are accepted. */
  readonly mode?: Mode | "StrongLocal" | "EventualDistributed" | "StrongDistributed";
  /** Life of a copy in L1, 1 to 2,592,000,000 ms (30 days). Default 300,000 (5 min). */
  readonly cacheTtlMs?: number;
  /** Eventual mode only, 1 to 3,600,000 ms. Default 5,000. */
  readonly maxStalenessMs?: number;
  /** Fail-safe: how long after its TTL a copy may still be given, marked stale, when loading fails. 1 ms to 30 days. Default off. */
  readonly graceMs?: number;
  /** Wants `graceMs`: a load that takes longer gives the stale copy now and goes on behind. 1 ms to 2 min. Default off. */
  readonly softTimeoutMs?: number;
  /** A load that takes longer counts as failed for its waiters. 1 ms to 2 min, not below `softTimeoutMs`. Default off. */
  readonly hardTimeoutMs?: number;
  /** Share of the TTL left, above 0 and below 1, from which on a hit starts one refresh behind. Default off. */
  readonly eagerRefresh?: number;
  /** Each hit begins the TTL anew. Wants `maxLifeMs`; not with `adaptive`. Default false. */
  readonly sliding?: boolean;
  /** Longest life of a sliding copy, `cacheTtlMs` to 30 days. */
  readonly maxLifeMs?: number;
  /** A TTL that follows demand. Default off. */
  readonly adaptive?: AdaptiveTtl;
  /** A TTL that grows with quick re-access and shrinks with slow; it begins at `cacheTtlMs`. Default off. */
  readonly frequency?: FrequencyTtl;
  /** Share of the TTL, above 0 and at most 0.5, by which each copy's life is shortened at random. Default off. */
  readonly jitter?: number;
  /** Life in L1 of "there is no such key": 1 ms to 1 h. Default off. */
  readonly negativeTtlMs?: number;
  /** Wants `graceMs`: reads give a copy in its grace at once, marked stale, and refresh behind. Default false. */
  readonly allowStale?: boolean;
  /** Versions kept at the authority, by number, age or both. Default none. */
  readonly history?: HistoryPolicy;
  /** Life in a second tier in Workers KV, 60 s to 30 days. Never with `strong`. Default off. */
  readonly kvTtlMs?: number;
  /**
   * The rule by which a write is merged into the stored value: `last-write-wins`, `sum`, `max`, `min`, `append`, `union`, `deep-merge`, or the name of a
   * function that the deployment was given. Default: a write replaces.
   */
  readonly merge?: string;
  /** With `append` and `union`: most elements that are kept, the newest ones; 1 to 10,000. Default 1,000. */
  readonly mergeMaxElements?: number;
  /** Strong mode: how many other nodes must have dropped the key before a write commits, 1 to 64. Default: holders only. */
  readonly quorum?: number;
  /** Strong mode, with `quorum`: in how many different zones those nodes must be, 1 to 16. */
  readonly minZones?: number;
  /** Who shares one run of a `getOrSet` source: this node, or all nodes of the space. Default `"node"`. */
  readonly loadSharing?: "node" | "space";
}
