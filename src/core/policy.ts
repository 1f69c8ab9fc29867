import { WarpError } from "../errors.ts";
import type { Mode, RegistrationSettings } from "../protocol/registration.ts";
import {
  defaultCacheTtlMs,
  defaultMaxStalenessMs,
  maxCacheTtlMs,
  maxMaxStalenessMs,
  minCacheTtlMs,
  minMaxStalenessMs,
} from "../runtime/limits.ts";
import { checkFields, readFields, wrong } from "./policy-fields.ts";
import type { RegistrationOptions, ScopeOptions } from "./types.ts";

/** go-warp's names beside Warp's own. */
const modes: ReadonlyMap<string, Mode> = new Map([
  ["local", "local"],
  ["eventual", "eventual"],
  ["strong", "strong"],
  ["StrongLocal", "local"],
  ["EventualDistributed", "eventual"],
  ["StrongDistributed", "strong"],
]);

/** The policy of keys without a registration, in a space that is not strict. */
export const defaultSettings: RegistrationSettings = Object.freeze({
  mode: "eventual",
  cacheTtlMs: defaultCacheTtlMs,
  maxStalenessMs: defaultMaxStalenessMs,
});

/** Options with their defaults. Throws `invalid_registration` or, for a life out of range, `invalid_ttl`; both name field and range. */
export function resolveSettings(options: RegistrationOptions): RegistrationSettings {
  checkFields(options);
  const mode = options.mode === undefined ? defaultSettings.mode : modes.get(options.mode);
  if (mode === undefined) {
    throw new WarpError(
      "invalid_registration",
      `mode is ${JSON.stringify(options.mode)}; it must be one of ${[...modes.keys()].join(", ")}`,
      { details: { field: "mode", allowed: [...modes.keys()] } },
    );
  }
  const { cacheTtlMs = defaultCacheTtlMs, maxStalenessMs = defaultMaxStalenessMs } = options;
  checkRange("invalid_ttl", "cacheTtlMs", cacheTtlMs, minCacheTtlMs, maxCacheTtlMs);
  checkRange("invalid_registration", "maxStalenessMs", maxStalenessMs, minMaxStalenessMs, maxMaxStalenessMs);
  const settings = { mode, cacheTtlMs, maxStalenessMs, ...readFields(options) };
  checkTogether(settings);
  return settings;
}

/** The policy among a scope's options; undefined where there is none. */
export function policyOf<T>(options: ScopeOptions<T>): RegistrationOptions | undefined {
  const { codec: _codec, schema: _schema, ...policy } = options;
  return Object.values(policy).every((value) => value === undefined) ? undefined : policy;
}

/** What a strong key can't have: its copies live by permission of the shard, within `cacheTtlMs`, and by nothing else. */
const forCopiesOnly = [
  "graceMs",
  "softTimeoutMs",
  "eagerRefresh",
  "sliding",
  "maxLifeMs",
  "adaptive",
  "frequency",
  "jitter",
  "negativeTtlMs",
  "allowStale",
  "kvTtlMs",
] as const;

/** Throws `invalid_registration` for settings that contradict each other. */
function checkTogether(settings: RegistrationSettings): void {
  const { cacheTtlMs, softTimeoutMs, hardTimeoutMs, sliding, maxLifeMs, adaptive, frequency } = settings;
  if (settings.mode === "strong") {
    const field = forCopiesOnly.find((name) => settings[name] !== undefined);
    if (field !== undefined)
      throw wrong(field, `${field} says how copies live; those of a strong key live by permission`);
  }
  const needs = (
    field: "softTimeoutMs" | "allowStale" | "sliding" | "maxLifeMs",
    other: keyof RegistrationSettings,
  ) => {
    if (settings[field] !== undefined && settings[other] === undefined)
      throw wrong(field, `${field} needs ${other}`);
  };
  needs("softTimeoutMs", "graceMs");
  needs("allowStale", "graceMs");
  needs("sliding", "maxLifeMs");
  needs("maxLifeMs", "sliding");
  if (softTimeoutMs !== undefined && hardTimeoutMs !== undefined && hardTimeoutMs < softTimeoutMs) {
    throw wrong("hardTimeoutMs", `hardTimeoutMs is ${hardTimeoutMs}, below softTimeoutMs, ${softTimeoutMs}`, {
      min: softTimeoutMs,
    });
  }
  if (sliding === true && adaptive !== undefined)
    throw wrong("sliding", "sliding and adaptive both set the TTL");
  if (adaptive !== undefined && frequency !== undefined) {
    throw wrong("frequency", "frequency and adaptive both set the TTL");
  }
  if (settings.jitter !== undefined && (adaptive !== undefined || frequency !== undefined)) {
    throw wrong("jitter", "jitter does not go with adaptive or frequency, whose TTLs differ by themselves");
  }
  for (const field of ["quorum", "minZones"] as const) {
    if (settings[field] !== undefined && settings.mode !== "strong")
      throw wrong(field, `${field} needs mode strong`, { allowed: ["strong"] });
  }
  const { quorum, minZones, merge } = settings;
  if (minZones !== undefined && (quorum === undefined || quorum < minZones)) {
    throw wrong("minZones", `minZones is ${minZones}; it needs a quorum of at least as many nodes`);
  }
  if (settings.mergeMaxElements !== undefined && merge !== "append" && merge !== "union") {
    throw wrong("mergeMaxElements", "mergeMaxElements needs merge append or union");
  }
  const longestMs = Math.max(cacheTtlMs, frequency?.maxTtlMs ?? 0);
  if (maxLifeMs !== undefined && maxLifeMs < longestMs) {
    throw wrong("maxLifeMs", `maxLifeMs is ${maxLifeMs}, below the longest TTL, ${longestMs}`, {
      min: longestMs,
    });
  }
  const start = frequency ?? (adaptive?.kind === "multiplicative" ? adaptive : undefined);
  if (start !== undefined && (cacheTtlMs < start.minTtlMs || cacheTtlMs > start.maxTtlMs)) {
    throw wrong(
      "cacheTtlMs",
      `cacheTtlMs, the TTL to begin with, is ${cacheTtlMs}; it must be from ${start.minTtlMs} to ${start.maxTtlMs}`,
      { min: start.minTtlMs, max: start.maxTtlMs },
    );
  }
}

/** A policy as the parts of a node work with it: made once per registration, looked at on every read. */
export interface Policy {
  readonly mode: Mode;
  readonly cacheTtlMs: number;
  readonly maxStalenessMs: number;
  /** All of it, if copies live by more than a plain TTL; undefined for most: a hit then costs one look at this field. */
  readonly extra: RegistrationSettings | undefined;
  readonly settings: RegistrationSettings;
}

export function toPolicy(settings: RegistrationSettings): Policy {
  const { mode, cacheTtlMs, maxStalenessMs } = settings;
  const plain =
    settings.hardTimeoutMs === undefined &&
    forCopiesOnly.every((f) => f === "kvTtlMs" || settings[f] === undefined);
  return { mode, cacheTtlMs, maxStalenessMs, extra: plain ? undefined : settings, settings };
}

/** The policy of {@link defaultSettings}. */
export const defaultPolicy: Policy = Object.freeze(toPolicy(defaultSettings));

/** Throws `code` unless `value` is a whole number from `min` to `max`. */
export function checkRange(
  code: "invalid_ttl" | "invalid_registration" | "invalid_argument" | "invalid_limit" | "invalid_version",
  field: string,
  value: number,
  min: number,
  max: number,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new WarpError(code, `${field} is ${value}; it must be a whole number from ${min} to ${max}`, {
    details: { field, min, max },
  });
}
