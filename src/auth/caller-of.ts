import { WarpError } from "../errors.ts";
import type { Caller } from "../protocol/wire/caller.ts";
import { allowsSpace, allowsVerb, type Grant, requireAnyVerb, requireKey, requireVerb } from "./grant.ts";

/** Where a socket is opened, and as what. */
export interface SocketPlace extends Pick<Caller, "space" | "shard"> {
  /** Where the request came from; undefined: not known. */
  readonly zone?: string | undefined;
  /** Whether it is that of a node, which serves what it holds to its own callers. */
  readonly follows: boolean;
}

/**
 * What a grant is at one shard. A node sees and does all that there is in the space; who does not follow the log, such as a browser, may come with
 * less. Throws `forbidden`.
 */
export function callerOf(grant: Grant, { space, shard, zone, follows }: SocketPlace): Caller {
  if (!allowsSpace(grant, space)) {
    throw new WarpError("forbidden", "the space lies outside the token's spaces");
  }
  if (follows) {
    for (const verb of ["read", "write", "delete"] as const) requireVerb(grant, verb);
    requireKey(grant, "", "space");
  } else requireAnyVerb(grant, ["read", "write", "delete", "invalidate", "lock"]);
  const { subject, prefixes, expiresAtMs } = grant;
  return {
    space,
    shard,
    subject,
    invalidates: allowsVerb(grant, "invalidate"),
    locks: allowsVerb(grant, "lock"),
    isAdmin: allowsVerb(grant, "admin"),
    ...(follows ? {} : { follows }),
    ...(prefixes.includes("") ? {} : { prefixes }),
    ...(allowsVerb(grant, "read") ? {} : { reads: false }),
    ...(allowsVerb(grant, "write") ? {} : { writes: false }),
    ...(allowsVerb(grant, "delete") ? {} : { deletes: false }),
    ...(Number.isFinite(expiresAtMs) ? { expiresAtMs } : {}),
    ...(zone === undefined ? {} : { zone }),
  };
}

/** A socket whose token is yet to come, in its first frame. It may do nothing before. */
export function pendingCaller({ space, shard, zone, follows }: SocketPlace): Caller {
  return {
    space,
    shard,
    subject: "",
    invalidates: false,
    locks: false,
    isAdmin: false,
    isPending: true,
    ...(follows ? {} : { follows }),
    ...(zone === undefined ? {} : { zone }),
  };
}
