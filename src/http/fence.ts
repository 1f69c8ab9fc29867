import { type Grant, requireKey } from "../auth/grant.ts";
import { WarpError } from "../errors.ts";
import { checkGuard } from "../protocol/fence.ts";
import type { FenceGuard } from "../protocol/operation.ts";
import { decodePart } from "./target.ts";

/** A lock's name, percent-encoded, and the fence: an `=` in the name is encoded, too. */
const form = /^([^=\s]{1,1539})=([0-9]{1,16})$/;

/**
 * `Warp-Fence` of a mutation: under which lock it is to be done. Throws `invalid_argument`, `invalid_encoding`, `invalid_lock`, and `forbidden` for a lock
 * outside the caller's prefixes, since the answer tells something of it.
 */
export function fenceOf(headers: Headers, grant: Grant): { readonly guard?: FenceGuard } {
  const text = headers.get("Warp-Fence");
  if (text === null) return none;
  const match = form.exec(text.trim());
  if (match === null) {
    throw new WarpError(
      "invalid_argument",
      "Warp-Fence must be a lock's percent-encoded name, =, and a fence",
      {
        details: { header: "Warp-Fence" },
      },
    );
  }
  const guard = { lock: decodePart(match[1] ?? "", "Warp-Fence"), fence: Number(match[2]) };
  return { guard: allowed(guard, grant) };
}

/** `guard` of a record, as an option of its write. Throws as {@link fenceOf}. */
export function guardOf(guard: FenceGuard | undefined, grant: Grant): { readonly guard?: FenceGuard } {
  return guard === undefined ? none : { guard: allowed(guard, grant) };
}

/** Throws `invalid_argument` where a call is sent with a fence that it would not look at. */
export function refuseFence(headers: Headers): void {
  if (!headers.has("Warp-Fence")) return;
  throw new WarpError("invalid_argument", "this call takes no Warp-Fence; operations have a guard each", {
    details: { header: "Warp-Fence" },
  });
}

function allowed(guard: FenceGuard, grant: Grant): FenceGuard {
  checkGuard(guard);
  requireKey(grant, guard.lock, "lock");
  return guard;
}

const none: { readonly guard?: FenceGuard } = {};
