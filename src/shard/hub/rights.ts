import { WarpError } from "../../errors.ts";
import type { LockCommand } from "../../protocol/lock.ts";
import type { CallScope } from "../../protocol/shard-api.ts";
import { isWithin, type WatchTarget } from "../../protocol/watch.ts";
import { type Caller, isWatcher } from "../../protocol/wire/caller.ts";
import type { WireCall } from "../../protocol/wire/requests.ts";
import { checkKeys } from "./key-rights.ts";

/**
 * Throws unless the caller of a session may make this call: `forbidden` for what its token does not allow or op ids that are another's,
 * `invalid_argument` for a scope that is not the session's.
 */
export function checkCall(call: WireCall, caller: Caller): void {
  checkScope(call, caller);
  checkDrain(call, caller);
  if (call.m === "lock") checkForces(call.a[0].commands, caller);
  checkKeys(call, caller);
  if (caller.isAdmin) return;
  switch (call.m) {
    case "mutate":
      for (const { opId, kind } of call.a[0].mutations) {
        checkSubject(opId, caller);
        if (!caller.invalidates && kind.startsWith("invalidate")) throw forbidden("invalidate");
      }
      return;
    case "publish":
      checkSubject(call.a[0].opId, caller);
      return;
    case "transact":
      checkSubject(call.a[0].transaction.opId, caller);
      return;
    case "lock":
      // An attachment from before there were locks says nothing of them.
      if (caller.locks !== true) throw forbidden("lock");
      for (const { opId, kind } of call.a[0].commands) {
        checkSubject(opId, caller);
        if (kind === "force") throw forbidden("admin");
      }
      return;
    case "lease":
      // Who has a socket may write and delete every key of the space: nothing more is asked for what an end does to them.
      for (const { opId } of call.a[0].commands) checkSubject(opId, caller);
      return;
    case "waitLock":
      if (caller.locks !== true) throw forbidden("lock");
      return;
    case "resolve":
      // Who may change nothing has no operations, and must not leave seals.
      if (caller.writes === false && caller.deletes === false && !caller.invalidates && !caller.locks) {
        throw forbidden("write");
      }
      for (const opId of call.a[0].opIds) checkSubject(opId, caller);
      return;
    case "createSpace": {
      // The defaults are what a first write makes, so who may write may have them.
      if (Object.values(call.a[1]).some((option) => option !== undefined)) throw forbidden("admin");
      return;
    }
    case "deleteSpace":
    case "register":
    case "unregister":
      throw forbidden("admin");
    default:
      return;
  }
}

/** Throws `forbidden` unless the caller may watch all of `target`. */
export function checkWatch(target: WatchTarget, { reads, prefixes }: Caller): void {
  if (reads === false) throw forbidden("read");
  if (!isWithin(target, prefixes)) {
    throw new WarpError("forbidden", "the target lies outside the token's key prefixes");
  }
}

/** Who is no node proposes nothing. */
function checkDrain({ a: [request] }: WireCall, caller: Caller): void {
  if (typeof request === "object" && "drain" in request && isWatcher(caller)) {
    throw new WarpError("forbidden", "who is no node has proposed nothing");
  }
}

function checkScope({ a }: WireCall, caller: Caller): void {
  const [first] = a;
  const scope: Pick<CallScope, "space" | "shard"> =
    typeof first === "string" ? { space: first, shard: caller.shard } : first;
  for (const field of ["space", "shard"] as const) {
    if (scope[field] === caller[field]) continue;
    throw new WarpError("invalid_argument", `the ${field} is not this session's`, { details: { field } });
  }
}

/** Who forced an end is kept with it (rule LK12), so nobody may say that it was another. */
function checkForces(commands: readonly LockCommand[], { subject }: Caller): void {
  if (commands.every((command) => command.kind !== "force" || command.by === subject)) return;
  throw new WarpError("forbidden", "by is not this session's subject", { details: { field: "by" } });
}

/** An op id is `uuid/subject` or `uuid#place/subject`. */
function checkSubject(opId: string, { subject }: Caller): void {
  const slash = opId.indexOf("/");
  if (slash >= 0 && opId.slice(slash + 1) === subject) return;
  throw new WarpError("forbidden", "the op id is not of this session's subject", {
    details: { field: "opId" },
  });
}

function forbidden(verb: string): WarpError {
  return new WarpError("forbidden", `the token has not the verb ${verb}`, { details: { verb } });
}
