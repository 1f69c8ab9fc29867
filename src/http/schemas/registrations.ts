import * as v from "valibot";
import { mergeNamePattern } from "../../protocol/registration.ts";
import {
  maxCacheTtlMs,
  maxGraceMs,
  maxHistoryAgeMs,
  maxHistoryVersions,
  maxKvTtlMs,
  maxLoadTimeoutMs,
  maxMaxStalenessMs,
  maxMergeElements,
  maxMinZones,
  maxNegativeTtlMs,
  maxQuorum,
  maxWindowMs,
  minCacheTtlMs,
  minHistoryAgeMs,
  minKvTtlMs,
  minMaxStalenessMs,
} from "../../runtime/limits.ts";
import { integer } from "../check.ts";

const ttl = integer(minCacheTtlMs, maxCacheTtlMs);
const loadTimeout = integer(1, maxLoadTimeoutMs);

const belowOne = "must be above 0 and below 1";
const uptoHalf = "must be above 0 and at most 0.5";
const uptoTen = "must be above 1 and at most 10";

const adaptive = v.variant("kind", [
  v.strictObject({
    kind: v.literal("window"),
    windowMs: integer(1, maxWindowMs),
    threshold: integer(1, 1_000_000),
    coldTtlMs: ttl,
    hotTtlMs: ttl,
  }),
  v.strictObject({
    kind: v.literal("multiplicative"),
    factor: v.pipe(v.number(), v.gtValue(1, uptoTen), v.maxValue(10, uptoTen)),
    minTtlMs: ttl,
    maxTtlMs: ttl,
  }),
]);

const frequency = v.strictObject({
  withinMs: ttl,
  incrementMs: ttl,
  decrementMs: ttl,
  minTtlMs: ttl,
  maxTtlMs: ttl,
});

const history = v.strictObject({
  versions: v.optional(integer(1, maxHistoryVersions)),
  ageMs: v.optional(integer(minHistoryAgeMs, maxHistoryAgeMs)),
});

/**
 * The body of `PUT /v1/{space}/registrations/{pattern}`: each field within its range. What contradicts another field is found by the
 * core, which every way of registering goes through.
 */
export const registrationBody = v.strictObject({
  mode: v.optional(
    v.pipe(
      v.picklist(["local", "eventual", "strong", "StrongLocal", "EventualDistributed", "StrongDistributed"]),
      v.description(
        "How far a read may lag. Default `eventual`. The last three are other names of the first three.",
      ),
    ),
  ),
  cacheTtlMs: v.optional(v.pipe(ttl, v.description("Life of a copy in L1. Default 300,000 (5 min)."))),
  maxStalenessMs: v.optional(
    v.pipe(
      integer(minMaxStalenessMs, maxMaxStalenessMs),
      v.description("Eventual mode: how far a read lags at most. Default 5,000."),
    ),
  ),
  graceMs: v.optional(
    v.pipe(
      integer(1, maxGraceMs),
      v.description(
        "Fail-safe: how long after its TTL a copy may still be given, marked stale, when loading fails.",
      ),
    ),
  ),
  softTimeoutMs: v.optional(
    v.pipe(
      loadTimeout,
      v.description("A load that takes longer gives the stale copy now and goes on behind. Wants `graceMs`."),
    ),
  ),
  hardTimeoutMs: v.optional(
    v.pipe(
      loadTimeout,
      v.description("A load that takes longer counts as failed for its waiters. Not below `softTimeoutMs`."),
    ),
  ),
  eagerRefresh: v.optional(
    v.pipe(
      v.pipe(v.number(), v.gtValue(0, belowOne), v.ltValue(1, belowOne)),
      v.description("Share of the TTL left from which on a hit starts one refresh behind."),
    ),
  ),
  sliding: v.optional(
    v.pipe(
      v.boolean(),
      v.description("Each hit begins the TTL anew. Wants `maxLifeMs`; not with `adaptive`."),
    ),
  ),
  maxLifeMs: v.optional(
    v.pipe(ttl, v.description("Longest life of a sliding copy. Not below `cacheTtlMs`.")),
  ),
  adaptive: v.optional(v.pipe(adaptive, v.description("A TTL that follows demand."))),
  frequency: v.optional(
    v.pipe(
      frequency,
      v.description("A TTL that grows with quick re-access and shrinks with slow. Not with `adaptive`."),
    ),
  ),
  jitter: v.optional(
    v.pipe(
      v.pipe(v.number(), v.gtValue(0, uptoHalf), v.maxValue(0.5, uptoHalf)),
      v.description("Share of the TTL by which each life is shortened at random."),
    ),
  ),
  negativeTtlMs: v.optional(
    v.pipe(
      integer(1, maxNegativeTtlMs),
      v.description("Life in L1 of the knowledge that there is no such key."),
    ),
  ),
  allowStale: v.optional(
    v.pipe(
      v.boolean(),
      v.description("Reads give a copy in its grace at once, marked stale. Wants `graceMs`."),
    ),
  ),
  history: v.optional(
    v.pipe(history, v.description("Versions that are kept: by number, by age, or both bounds.")),
  ),
  kvTtlMs: v.optional(
    v.pipe(
      integer(minKvTtlMs, maxKvTtlMs),
      v.description("Life in a second tier in Workers KV. Not with `strong`."),
    ),
  ),
  merge: v.optional(
    v.pipe(
      v.string(),
      v.regex(mergeNamePattern, "must be the name of a merge rule"),
      v.description(
        "The rule by which a write is merged into the stored value: `last-write-wins`, `sum`, `max`, `min`, `append`, `union`, `deep-merge`, or a function of the deployment's own. Absent: a write replaces.",
      ),
    ),
  ),
  mergeMaxElements: v.optional(
    v.pipe(
      integer(1, maxMergeElements),
      v.description("With `append` and `union`: most elements that are kept, the newest. Default 1,000."),
    ),
  ),
  quorum: v.optional(
    v.pipe(
      integer(1, maxQuorum),
      v.description("Strong mode: how many other nodes must have dropped the key before a write commits."),
    ),
  ),
  minZones: v.optional(
    v.pipe(
      integer(1, maxMinZones),
      v.description("Strong mode, with `quorum`: in how many different zones those nodes must be."),
    ),
  ),
  loadSharing: v.optional(
    v.pipe(
      v.picklist(["node", "space"]),
      v.description("Who shares one run of a `getOrSet` source. Default `node`."),
    ),
  ),
});
