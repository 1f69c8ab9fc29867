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
import type { RegistrationOptions } from "./types.ts";

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
  return { mode, cacheTtlMs, maxStalenessMs };
}

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
