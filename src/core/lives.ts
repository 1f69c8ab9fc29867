import type { CacheEntry } from "../cache/cache.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import type { Clock } from "../runtime/clock.ts";
import { fraction, type Random } from "../runtime/random.ts";
import { DemandBook } from "./demand.ts";
import type { Policy } from "./policy.ts";

/** How long a new copy lives, in ms from the sending of its question. */
export interface CopyLife {
  /** It is served until then. */
  readonly ttlMs: number;
  /** It is kept until then: for its grace, and as far as its TTL may still grow. */
  readonly keepMs: number;
}

/**
 * How long copies live under policies that are more than a plain TTL (rule CO5). A copy has a soft end, until which it is served, and a
 * hard one, until which the cache keeps it: for its grace and for a TTL that may still grow.
 */
export class Lives {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly demand: DemandBook;

  constructor(clock: Clock, random: Random, demand = new DemandBook()) {
    this.#clock = clock;
    this.#random = random;
    this.demand = demand;
  }

  /** The life of a copy that is being made, by a load or by an own write. */
  ofCopy(key: string, policy: Policy, by: "load" | "write"): CopyLife {
    const { extra, cacheTtlMs } = policy;
    if (extra === undefined) return { ttlMs: cacheTtlMs, keepMs: cacheTtlMs };
    if (DemandBook.follows(extra)) {
      // A read was counted when it looked into L1.
      if (by === "write") this.demand.access(key, extra, this.#clock.now());
      else this.demand.reload(key, extra);
    }
    let ttlMs = this.#ttlMs(key, extra);
    if (extra.jitter !== undefined) ttlMs = Math.max(1, ttlMs * (1 - extra.jitter * fraction(this.#random)));
    return { ttlMs, keepMs: Math.max(ttlMs, longestMs(extra)) + (extra.graceMs ?? 0) };
  }

  /** Notes a read of `key`. */
  note(key: string, extra: RegistrationSettings, nowMs: number): void {
    if (DemandBook.follows(extra)) this.demand.access(key, extra, nowMs);
  }

  /** Whether a copy that the cache still keeps is within its TTL. */
  isLive(key: string, entry: CacheEntry, policy: Policy, nowMs: number): boolean {
    return nowMs < this.#softEndMs(key, entry, policy);
  }

  /** Whether a copy may be given marked stale: within its TTL and the grace. */
  isGraced(key: string, entry: CacheEntry, policy: Policy, nowMs: number): boolean {
    return (
      nowMs < Math.min(this.#softEndMs(key, entry, policy) + (policy.extra?.graceMs ?? 0), entry.expiresAtMs)
    );
  }

  /** After a hit: a sliding copy begins its TTL anew. Gives whether it is time for an early refresh. */
  afterHit(key: string, entry: CacheEntry, policy: Policy, nowMs: number): boolean {
    const { extra } = policy;
    if (extra === undefined) return false;
    let due = false;
    if (extra.eagerRefresh !== undefined) {
      // What hits can't put off: of a sliding copy, the end of its longest life.
      const endMs =
        extra.maxLifeMs === undefined
          ? this.#softEndMs(key, entry, policy)
          : entry.storedAtMs + extra.maxLifeMs;
      due = endMs - nowMs < (endMs - entry.storedAtMs) * extra.eagerRefresh;
    }
    if (extra.sliding === true && extra.maxLifeMs !== undefined) {
      entry.freshUntilMs = Math.min(nowMs + this.#ttlMs(key, extra), entry.storedAtMs + extra.maxLifeMs);
    }
    return due;
  }

  #softEndMs(key: string, entry: CacheEntry, { extra, cacheTtlMs }: Policy): number {
    if (extra === undefined) return entry.storedAtMs + cacheTtlMs;
    // The TTL follows demand while the copy lives. A sliding copy took it in at its last hit.
    if (extra.sliding !== true && DemandBook.follows(extra) && extra.adaptive?.kind !== "multiplicative") {
      return entry.storedAtMs + this.demand.ttlMs(key, extra);
    }
    // The policy may have changed since the copy was made.
    return Math.min(entry.freshUntilMs ?? entry.expiresAtMs, entry.storedAtMs + longestMs(extra));
  }

  #ttlMs(key: string, extra: RegistrationSettings): number {
    return DemandBook.follows(extra) ? this.demand.ttlMs(key, extra) : extra.cacheTtlMs;
  }
}

/** The longest that a copy may be served under a policy. */
function longestMs({ sliding, maxLifeMs, adaptive, frequency, cacheTtlMs }: RegistrationSettings): number {
  if (sliding === true && maxLifeMs !== undefined) return maxLifeMs;
  if (adaptive !== undefined) return adaptive.kind === "window" ? adaptive.hotTtlMs : adaptive.maxTtlMs;
  return frequency?.maxTtlMs ?? cacheTtlMs;
}
