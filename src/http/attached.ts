import { type Grant, requireVerb } from "../auth/grant.ts";
import { checkLeaseId } from "../protocol/key.ts";

/** The lease that a write attaches its key to, as an option. Its end may delete the key, so that it wants the verb `delete`. Throws `invalid_argument`, `forbidden`. */
export function leaseOf(id: string | undefined, grant: Grant): { readonly lease?: string } {
  if (id === undefined) return none;
  checkLeaseId(id);
  requireVerb(grant, "delete");
  return { lease: id };
}

const none: { readonly lease?: string } = {};
