import { requireKey } from "../../auth/grant.ts";
import { WarpError } from "../../errors.ts";
import { checkLockName } from "../../protocol/lock-rules.ts";
import { maxLockNameBytes } from "../../runtime/coordination-limits.ts";
import type { Call } from "../call.ts";
import { decodePart } from "../target.ts";

/** The name in the path: everything after the resource's, decoded once. It lies within the token's prefixes, as keys do. */
export function lockNameOf(call: Call): string {
  const { rest } = call;
  // One that can't be within the bound is refused before it is decoded.
  const name = rest.length > 3 * (maxLockNameBytes + 1) ? rest : decodePart(rest, "the name");
  checkLockName(name);
  requireKey(call.grant, name, "lock");
  return name;
}

/** Which grant, or which place in a queue, a query means. */
export interface Named {
  readonly owner?: string | undefined;
  readonly fence?: number | undefined;
  readonly ticket?: string | undefined;
}

/** Throws `invalid_argument` that says what is missing of a grant's names. */
export function grantOf({ owner, fence }: Named): { readonly owner: string; readonly fence: number } {
  return { owner: given(owner, "owner"), fence: given(fence, "fence") };
}

/** `value`, or `invalid_argument` that names the parameter. */
export function given<T>(value: T | undefined, field: string): T {
  if (value !== undefined) return value;
  throw new WarpError("invalid_argument", `"${field}" is missing`, { details: { field } });
}
