import { WarpError } from "../errors.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import type { AdapterSupports } from "./adapter.ts";

/** Throws `unsupported` for a registration that asks for what a storage can't do: a promise that it would not keep is not taken. */
export function checkSupported(
  settings: RegistrationSettings,
  supports: Pick<AdapterSupports, "merge" | "quorum">,
): void {
  if (settings.merge !== undefined && !supports.merge) {
    throw new WarpError("unsupported", "this storage has no merge rules", { details: { field: "merge" } });
  }
  for (const field of ["quorum", "minZones"] as const) {
    if (settings[field] !== undefined && !supports.quorum) {
      throw new WarpError("unsupported", `this storage can't wait for other nodes: it takes no ${field}`, {
        details: { field },
      });
    }
  }
}
