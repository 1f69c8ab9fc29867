import { type ErrorCode, type ErrorDetails, WarpError } from "../errors.ts";
import type { LockVerdict } from "../protocol/lock.ts";
import type { LockGrant, LockUsage } from "./lock-store.ts";

/** The verdict of a definite refusal. */
export function refused(
  code: ErrorCode,
  message: string,
  details?: ErrorDetails,
  retryAfterMs?: number,
): LockVerdict {
  const options = {
    ...(details !== undefined && { details }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  return { outcome: "fail", error: new WarpError(code, message, options).toData() };
}

export function held(grant: LockGrant, nowMs: number): LockVerdict {
  const { fence, ttlMs, deadlineMs, count } = grant;
  return {
    outcome: "ok",
    state: "held",
    fence,
    ttlMs,
    remainingMs: Math.max(0, Math.floor(deadlineMs - nowMs)),
    count,
  };
}

export function offered(grant: LockGrant, ticket: string, nowMs: number): LockVerdict {
  const claimWithinMs = Math.max(0, Math.floor(grant.deadlineMs - nowMs));
  return { outcome: "ok", state: "offered", ticket, fence: grant.fence, claimWithinMs };
}

export function ended(count: number): LockVerdict {
  return { outcome: "ok", state: "ended", count };
}

/**
 * The refusal of an owner whose grant has ended (rule LK5). `reason` is `ended` where it is no longer known. `fence` is the present holder's, or that of the force that
 * ended the grant: of the two the higher one (rule LK12).
 */
export function lost(
  { reason, fence = 0 }: { readonly reason: string; readonly fence?: number },
  usage: LockUsage | undefined,
): LockVerdict {
  const details = { reason, fence: Math.max(fence, usage?.fence ?? 0) };
  return refused("lock_lost", `the grant has ended: ${reason}`, details);
}

/** The refusal of what names another's grant, or none that the name has (rule LK4). */
export function notOwner(usage: LockUsage | undefined): LockVerdict {
  return refused("not_owner", "owner and fence are not those of a grant of this name", {
    fence: usage?.fence ?? 0,
  });
}

/** The refusal of one who did not come to hold the lock; `closedForMs`: the name stays closed for so long. */
export function lockHeld(usage: LockUsage | undefined, waiters: number, closedForMs?: number): LockVerdict {
  const details = { fence: usage?.fence ?? 0, waiters };
  if (closedForMs === undefined)
    return refused("lock_held", "the lock is held, or others stand before", details);
  const message = `the name stays closed for ${closedForMs} ms after a grant that was not released`;
  return refused("lock_held", message, { ...details, closedForMs }, closedForMs);
}

/** The refusal of one whose whole wait is over. */
export function waitOver(usage: LockUsage | undefined, waiters: number): LockVerdict {
  return refused("lock_held", "the whole wait is over", { fence: usage?.fence ?? 0, waiters });
}

/** The refusal of a ticket that no row has. */
export function noSuchTicket(): LockVerdict {
  return refused("ticket_not_found", "nobody waits under this ticket: its place was left, or given up");
}
