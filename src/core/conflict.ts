import { WarpError } from "../errors.ts";
import type { RegistrationSettings, StoredRegistration } from "../protocol/registration.ts";

/** The error of a pattern that is registered with other settings: it tells which. */
export function conflict(known: StoredRegistration): WarpError {
  const where = known.source === "static" ? "in the deployment's configuration" : "in the space";
  return new WarpError("registration_conflict", `the pattern is registered ${where} with other settings`, {
    details: {
      pattern: known.pattern,
      version: known.version,
      source: known.source,
      ...shown(known.settings),
    },
  });
}

/** A policy among an error's details: its parts with members of their own as JSON. */
function shown(settings: RegistrationSettings): Record<string, string | number | boolean> {
  const fields = Object.entries(settings as unknown as Record<string, unknown>);
  return Object.fromEntries(
    fields.map(([field, value]) => [
      field,
      typeof value === "string" || typeof value === "number" || typeof value === "boolean"
        ? value
        : JSON.stringify(value),
    ]),
  );
}
