/** How far a read from L1 may lag: see `docs/core.md`. go-warp's names are accepted as aliases when registering. */
export type Mode = "local" | "eventual" | "strong";

/** TTL that follows demand. `window`: by reads within a sliding window. `multiplicative`: grows by a factor with each re-load, shrinks when idle. */
export type AdaptiveTtl =
  | {
      readonly kind: "window";
      /** Length of the sliding window: 1 ms to 1 h. */
      readonly windowMs: number;
      /** Reads within the window from which on a key is hot: 1 to 1,000,000. */
      readonly threshold: number;
      readonly coldTtlMs: number;
      readonly hotTtlMs: number;
    }
  | {
      readonly kind: "multiplicative";
      /** More than 1, at most 10. */
      readonly factor: number;
      readonly minTtlMs: number;
      readonly maxTtlMs: number;
    };

/** TTL that grows with quick re-access and shrinks with slow (go-warp's TTLOptions). */
export interface FrequencyTtl {
  /** Re-access within this many ms is quick. */
  readonly withinMs: number;
  readonly incrementMs: number;
  readonly decrementMs: number;
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
}

/** Kept versions of a key (rule VE1); at least one bound. */
export interface HistoryPolicy {
  /** Versions kept, the present one included: 1 to 10,000. */
  readonly versions?: number;
  /** Age up to which a superseded version is kept: 1 s to 10 years. */
  readonly ageMs?: number;
}

/**
 * The policy of a key pattern, resolved. `cacheTtlMs` bounds copies only; data stays until it is deleted or its own `expiresInMs`
 * ends. What is absent is off.
 */
export interface RegistrationSettings {
  readonly mode: Mode;
  /** Life of a copy in L1: 1 ms to 30 days. Default 300,000. */
  readonly cacheTtlMs: number;
  /** Eventual mode only: 1 ms to 1 h. Default 5,000. */
  readonly maxStalenessMs: number;
  /** Fail-safe: how long after its TTL a copy may still be served, marked stale, when loading fails. 1 ms to 30 days. */
  readonly graceMs?: number;
  /** With grace: a load that takes longer answers the stale copy now and goes on behind. 1 ms to 2 min. */
  readonly softTimeoutMs?: number;
  /** A load that takes longer counts as failed for its waiters. 1 ms to 2 min, not below `softTimeoutMs`. */
  readonly hardTimeoutMs?: number;
  /** Share of the TTL left, above 0 and below 1, from which on a hit starts one refresh behind. */
  readonly eagerRefresh?: number;
  /** Each hit begins the TTL anew; wants `maxLifeMs`. Not with `adaptive`. */
  readonly sliding?: true;
  /** Longest life of one copy, however often it slides: 1 ms to 30 days, not below `cacheTtlMs`. */
  readonly maxLifeMs?: number;
  readonly adaptive?: AdaptiveTtl;
  readonly frequency?: FrequencyTtl;
  /** Share of the TTL, above 0 and at most 0.5, by which each copy's life is shortened at random. */
  readonly jitter?: number;
  /** Life in L1 of "there is no such key": 1 ms to 1 h. */
  readonly negativeTtlMs?: number;
  /** Reads may answer a copy in its grace at once, marked stale, and refresh behind. Wants `graceMs`. */
  readonly allowStale?: true;
  readonly history?: HistoryPolicy;
  /** Second cache tier in Workers KV: life there, 60 s to 30 days. Never with `strong`. */
  readonly kvTtlMs?: number;
  /**
   * The rule by which a write is merged into the stored value (rule ME3): `last-write-wins`, `sum`, `max`, `min`, `append`, `union`, `deep-merge`, or
   * the name of a function of the deployment's own. Absent: a write replaces.
   */
  readonly merge?: string;
  /** With `append` and `union`: most elements that are kept, the newest ones; 1 to 10,000. Default 1,000. */
  readonly mergeMaxElements?: number;
  /** Strong mode: how many nodes other than the writer must have dropped the key before a write commits, 1 to 64. Absent: only holders are waited for. */
  readonly quorum?: number;
  /** Strong mode: in how many different zones those nodes must be, 1 to 16. */
  readonly minZones?: number;
  /** Who shares one load of a missing key: the node (default), or all nodes of the space through the shard. */
  readonly loadSharing?: "space";
}

/** The name of a merge rule: 1 to 64 letters, digits, `.`, `_` and `-`, a letter first. */
export const mergeNamePattern = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

/** A registration as its space keeps it. */
export interface StoredRegistration {
  readonly pattern: string;
  readonly settings: RegistrationSettings;
  /** Revision of its last change in shard 0; 0 for a static one, which only the deployment's configuration changes. */
  readonly version: number;
  readonly source: "space" | "static";
}

/** Whether two resolved policies are the same. */
export function sameSettings(a: RegistrationSettings, b: RegistrationSettings): boolean {
  return canonical(a) === canonical(b);
}

/** JSON with members in one order: what tells two policies apart. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
