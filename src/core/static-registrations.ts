import { WarpError } from "../errors.ts";
import { checkPattern } from "../protocol/key.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
