import { WarpError } from "../errors.ts";
import {
  type AdaptiveTtl,
  type FrequencyTtl,
  type HistoryPolicy,
  mergeNamePattern,
  type RegistrationSettings,
} from "../protocol/registration.ts";
import {
  maxCacheTtlMs,
  maxGraceMs,
  maxHistoryAgeMs,
  maxHistoryVersions,
  maxKvTtlMs,
  maxLoadTimeoutMs,
  maxMergeElements,
  maxMinZones,
  maxNegativeTtlMs,
  maxQuorum,
  maxWindowMs,
  minCacheTtlMs,
  minHistoryAgeMs,
  minKvTtlMs,
} from "../runtime/limits.ts";

type Rest = Omit<RegistrationSettings, "mode" | "cacheTtlMs" | "maxStalenessMs">;

/** What may stand in a policy beside mode, TTL and staleness, each with the check of its own value. */
const checks: { readonly [F in keyof Required<Rest>]: (field: string, value: unknown) => Rest[F] } = {
  graceMs: within(1, maxGraceMs),
  softTimeoutMs: within(1, maxLoadTimeoutMs),
  hardTimeoutMs: within(1, maxLoadTimeoutMs),
  eagerRefresh: (field, value) => share(field, value, (n) => n > 0 && n < 1, "above 0 and below 1"),
  sliding: flag,
  maxLifeMs: within(1, maxCacheTtlMs),
  adaptive,
  frequency,
  jitter: (field, value) => share(field, value, (n) => n > 0 && n <= 0.5, "above 0 and at most 0.5"),
  negativeTtlMs: within(1, maxNegativeTtlMs),
  allowStale: flag,
  history,
  kvTtlMs: within(minKvTtlMs, maxKvTtlMs),
  merge: (field, value) => {
    if (typeof value === "string" && mergeNamePattern.test(value)) return value;
    throw wrong(field, `${field} is ${show(value)}; it must be the name of a merge rule`);
  },
  mergeMaxElements: within(1, maxMergeElements),
  quorum: within(1, maxQuorum),
  minZones: within(1, maxMinZones),
  loadSharing: (field, value) => {
    if (value === "space" || value === "node") return value === "space" ? value : undefined;
    throw wrong(field, `${field} is ${show(value)}; it must be node or space`, {
      allowed: ["node", "space"],
    });
  },
};

/** The names of all options of a policy. */
export const policyFields: ReadonlySet<string> = new Set([
  "mode",
  "cacheTtlMs",
  "maxStalenessMs",
  ...Object.keys(checks),
]);

/** Throws `invalid_registration` for an option that there is not. */
export function checkFields(options: object, known = policyFields, within = ""): void {
  for (const field of Object.keys(options)) {
    if (!known.has(field)) throw wrong(within + field, `${within}${field} is no option of a policy`);
  }
}

/** The checked fields of `options`, without those that are off. Throws `invalid_registration`, naming field and range. */
export function readFields(options: object): Rest {
  const rest: Record<string, unknown> = {};
  for (const [field, check] of Object.entries(checks)) {
    const value = (options as Record<string, unknown>)[field];
    const read: unknown = value === undefined ? undefined : check(field, value);
    if (read !== undefined) rest[field] = read;
  }
  return rest as Rest;
}

function within(min: number, max: number) {
  return (field: string, value: unknown): number => wholeNumber(field, value, min, max);
}

function wholeNumber(field: string, value: unknown, min: number, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
  throw wrong(field, `${field} is ${show(value)}; it must be a whole number from ${min} to ${max}`, {
    min,
    max,
  });
}

function share(field: string, value: unknown, test: (n: number) => boolean, range: string): number {
  if (typeof value === "number" && test(value)) return value;
  throw wrong(field, `${field} is ${show(value)}; it must be a number ${range}`);
}

function flag(field: string, value: unknown): true | undefined {
  if (typeof value === "boolean") return value || undefined;
  throw wrong(field, `${field} is ${show(value)}; it must be true or false`);
}

function adaptive(field: string, value: unknown): AdaptiveTtl {
  const part = record(field, value);
  const at = (name: string, min: number, max: number): number =>
    wholeNumber(`${field}.${name}`, part[name], min, max);
  if (part.kind === "window") {
    checkFields(part, new Set(["kind", "windowMs", "threshold", "coldTtlMs", "hotTtlMs"]), `${field}.`);
    const read = {
      kind: "window",
      windowMs: at("windowMs", 1, maxWindowMs),
      threshold: at("threshold", 1, 1_000_000),
      coldTtlMs: at("coldTtlMs", minCacheTtlMs, maxCacheTtlMs),
      hotTtlMs: at("hotTtlMs", minCacheTtlMs, maxCacheTtlMs),
    } as const;
    ordered(field, "coldTtlMs", read.coldTtlMs, "hotTtlMs", read.hotTtlMs);
    return read;
  }
  if (part.kind !== "multiplicative") {
    throw wrong(`${field}.kind`, `${field}.kind is ${show(part.kind)}; it must be window or multiplicative`, {
      allowed: ["window", "multiplicative"],
    });
  }
  checkFields(part, new Set(["kind", "factor", "minTtlMs", "maxTtlMs"]), `${field}.`);
  const read = {
    kind: "multiplicative",
    factor: share(`${field}.factor`, part.factor, (n) => n > 1 && n <= 10, "above 1 and at most 10"),
    minTtlMs: at("minTtlMs", minCacheTtlMs, maxCacheTtlMs),
    maxTtlMs: at("maxTtlMs", minCacheTtlMs, maxCacheTtlMs),
  } as const;
  ordered(field, "minTtlMs", read.minTtlMs, "maxTtlMs", read.maxTtlMs);
  return read;
}

function frequency(field: string, value: unknown): FrequencyTtl {
  const part = record(field, value);
  checkFields(part, new Set(["withinMs", "incrementMs", "decrementMs", "minTtlMs", "maxTtlMs"]), `${field}.`);
  const at = (name: string, min: number, max: number): number =>
    wholeNumber(`${field}.${name}`, part[name], min, max);
  const read = {
    withinMs: at("withinMs", 1, maxWindowMs),
    incrementMs: at("incrementMs", 0, maxCacheTtlMs),
    decrementMs: at("decrementMs", 0, maxCacheTtlMs),
    minTtlMs: at("minTtlMs", minCacheTtlMs, maxCacheTtlMs),
    maxTtlMs: at("maxTtlMs", minCacheTtlMs, maxCacheTtlMs),
  };
  ordered(field, "minTtlMs", read.minTtlMs, "maxTtlMs", read.maxTtlMs);
  return read;
}

function history(field: string, value: unknown): HistoryPolicy {
  const part = record(field, value);
  checkFields(part, new Set(["versions", "ageMs"]), `${field}.`);
  const { versions, ageMs } = part;
  if (versions === undefined && ageMs === undefined) {
    throw wrong(field, `${field} has no bound; it must have versions, ageMs or both`);
  }
  return {
    ...(versions === undefined
      ? {}
      : { versions: wholeNumber(`${field}.versions`, versions, 1, maxHistoryVersions) }),
    ...(ageMs === undefined
      ? {}
      : { ageMs: wholeNumber(`${field}.ageMs`, ageMs, minHistoryAgeMs, maxHistoryAgeMs) }),
  };
}

function record(field: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw wrong(field, `${field} is an object`);
}

function ordered(field: string, low: string, lowMs: number, high: string, highMs: number): void {
  if (lowMs > highMs) throw wrong(`${field}.${low}`, `${field}.${low} is ${lowMs}, above ${high}, ${highMs}`);
}

function show(value: unknown): string {
  return typeof value === "object" && value !== null ? "an object" : String(value);
}

/** The refusal of a policy because of `field`. */
export function wrong(
  field: string,
  message: string,
  details: Readonly<Record<string, number | readonly string[]>> = {},
): WarpError {
  return new WarpError("invalid_registration", message, { details: { field, ...details } });
}
