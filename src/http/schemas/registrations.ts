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
    v.picklist(["local", "eventual", "strong", "StrongLocal", "EventualDistributed", "StrongDistributed"]),
  ),
  cacheTtlMs: v.optional(ttl),
  maxStalenessMs: v.optional(integer(minMaxStalenessMs, maxMaxStalenessMs)),
  graceMs: v.optional(integer(1, maxGraceMs)),
  softTimeoutMs: v.optional(loadTimeout),
  hardTimeoutMs: v.optional(loadTimeout),
  eagerRefresh: v.optional(v.pipe(v.number(), v.gtValue(0, belowOne), v.ltValue(1, belowOne))),
  sliding: v.optional(v.boolean()),
  maxLifeMs: v.optional(ttl),
  adaptive: v.optional(adaptive),
  frequency: v.optional(frequency),
  jitter: v.optional(v.pipe(v.number(), v.gtValue(0, uptoHalf), v.maxValue(0.5, uptoHalf))),
  negativeTtlMs: v.optional(integer(1, maxNegativeTtlMs)),
  allowStale: v.optional(v.boolean()),
  history: v.optional(history),
  kvTtlMs: v.optional(integer(minKvTtlMs, maxKvTtlMs)),
  merge: v.optional(v.pipe(v.string(), v.regex(mergeNamePattern, "must be the name of a merge rule"))),
  mergeMaxElements: v.optional(integer(1, maxMergeElements)),
  quorum: v.optional(integer(1, maxQuorum)),
  minZones: v.optional(integer(1, maxMinZones)),
  loadSharing: v.optional(v.picklist(["node", "space"])),
});
