import { WarpError } from "../errors.ts";
import { checkPattern } from "../protocol/key.ts";
import { type StoredRegistration, sameSettings } from "../protocol/registration.ts";
import { conflict } from "./conflict.ts";
import { resolveSettings } from "./policy.ts";
import { policyFields } from "./policy-fields.ts";
import type { RegistrationOptions } from "./types.ts";

/**
 * Registrations from configuration: `WARP_REGISTRATIONS`, a JSON object from pattern to options, e.g.
 * `{"user:*": {"mode": "strong"}}`. They hold in every space of the deployment and only configuration changes them. Throws
 * `invalid_registration`, `invalid_pattern` or `invalid_ttl`, naming the pattern.
 */
export function parseStaticRegistrations(text: string | undefined): StoredRegistration[] {
  if (text === undefined || text.trim() === "") return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new WarpError("invalid_registration", "WARP_REGISTRATIONS is not JSON", { cause });
  }
  if (!isRecord(parsed)) {
    throw new WarpError(
      "invalid_registration",
      "WARP_REGISTRATIONS is a JSON object from pattern to options",
    );
  }
  return Object.entries(parsed).map(([pattern, options]) => {
    if (!isRecord(options)) {
      throw new WarpError(
        "invalid_registration",
        `WARP_REGISTRATIONS: ${pattern}: the options are an object`,
      );
    }
    const unknown = Object.keys(options).find((field) => !policyFields.has(field));
    if (unknown !== undefined) {
      throw new WarpError("invalid_registration", `WARP_REGISTRATIONS: ${pattern}: ${unknown} is no option`, {
        details: { field: unknown },
      });
    }
    checkPattern(pattern);
    return {
      pattern,
      settings: resolveSettings(options as RegistrationOptions),
      version: 0,
      source: "static",
    };
  });
}

/**
 * Registrations that were given in code, one for each pattern. Throws `registration_conflict` for two of one pattern that differ, `invalid_registration`,
 * `invalid_pattern` or `invalid_ttl`.
 */
export function resolveStatics(
  list: readonly { readonly pattern: string; readonly options: RegistrationOptions }[],
): readonly StoredRegistration[] {
  const byPattern = new Map<string, StoredRegistration>();
  for (const { pattern, options } of list) {
    checkPattern(pattern);
    const settings = resolveSettings(options);
    const twin = byPattern.get(pattern);
    if (twin !== undefined && !sameSettings(twin.settings, settings)) throw conflict(twin);
    byPattern.set(pattern, { pattern, settings, version: 0, source: "static" });
  }
  return [...byPattern.values()];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
