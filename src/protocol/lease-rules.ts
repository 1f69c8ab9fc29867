import { WarpError } from "../errors.ts";
import { utf8 } from "../runtime/bytes.ts";
import {
  maxLeaseCallKeys,
  maxLeaseLifeMs,
  maxLockCommands,
  maxLockTtlMs,
  minLockTtlMs,
} from "../runtime/coordination-limits.ts";
import { fingerprint } from "../runtime/hash.ts";
import { maxListLimit } from "../runtime/limits.ts";
import { checkWhole } from "../runtime/ranges.ts";
import { checkKey, checkLeaseId } from "./key.ts";
import type { LeaseCommand } from "./lease.ts";
import { checkOpId } from "./mutation.ts";

/** What is wrong with a command whatever the shard holds; undefined: nothing. Such a refusal needs no memory: it would be given again. */
export function checkLeaseCommand(command: LeaseCommand, nowMs: number): WarpError | undefined {
  const wrongOpId = checkOpId(command.opId, nowMs);
  if (wrongOpId !== undefined) return wrongOpId;
  try {
    checkLeaseShape(command);
    return undefined;
  } catch (error) {
    if (error instanceof WarpError) return error;
    throw error;
  }
}

/** The part of {@link checkLeaseCommand} that needs no clock. Throws `invalid_argument`, `invalid_ttl`, `invalid_key`, `batch_too_large`. */
export function checkLeaseShape(command: LeaseCommand): void {
  checkLeaseId(command.id, "id");
  if (command.kind === "grant") {
    const { ttlMs, onEnd, maxLifeMs } = command;
    checkTime("ttlMs", ttlMs, minLockTtlMs, maxLockTtlMs);
    if (maxLifeMs !== undefined) checkTime("maxLifeMs", maxLifeMs, ttlMs, maxLeaseLifeMs);
    if (onEnd !== "invalidate" && onEnd !== "delete") {
      throw new WarpError("invalid_argument", "onEnd is invalidate or delete", {
        details: { field: "onEnd" },
      });
    }
  }
  if (command.kind === "attach" || command.kind === "detach") {
    const { keys } = command;
    if (keys.length === 0) {
      throw new WarpError("invalid_argument", "name at least one key", {
        details: { field: "keys", min: 1, max: maxLeaseCallKeys },
      });
    }
    if (keys.length > maxLeaseCallKeys) {
      throw new WarpError("batch_too_large", `a call attaches or detaches at most ${maxLeaseCallKeys} keys`, {
        details: { keys: keys.length, max: maxLeaseCallKeys },
      });
    }
    for (const key of keys) checkKey(key);
  }
}

/** Throws `batch_too_large` for more than 128 commands, `invalid_argument` for none. */
export function checkLeaseCount(count: number): void {
  if (count === 0) {
    throw new WarpError("invalid_argument", "a call has at least one command", {
      details: { field: "commands", min: 1, max: maxLockCommands },
    });
  }
  if (count <= maxLockCommands) return;
  throw new WarpError("batch_too_large", `a call has at most ${maxLockCommands} commands`, {
    details: { commands: count, max: maxLockCommands },
  });
}

/** Throws `invalid_limit` unless `limit` is a whole number from 1 to 1,000. */
export function checkLeasePage(limit: number): void {
  checkWhole("invalid_limit", "limit", limit, 1, maxListLimit);
}

/** What tells one command from another under the same op id (rule OU2). */
export function leasePrint({ opId: _, ...command }: LeaseCommand): string {
  return fingerprint(utf8(JSON.stringify(["lease", ...Object.entries(command).sort()])));
}

/** The refusal of what names a lease that is unknown or has ended (rule LS1). */
export function leaseNotFound(): WarpError {
  return new WarpError("lease_not_found", "there is no such lease, or it has ended");
}

/** The refusal of one key more than a lease takes in a shard. */
export function leaseFull(max: number): WarpError {
  return new WarpError("overloaded", `a lease has at most ${max} keys of a shard`, {
    retryable: false,
    details: { max },
  });
}

/** The refusal of a grant whose id another has, or had a moment ago. */
export function leaseTaken(): WarpError {
  return new WarpError("invalid_argument", "this id is another lease's: draw a new one", {
    details: { field: "id" },
  });
}

/** The refusal of one lease more than a shard takes. */
export function tooManyLeases(max: number): WarpError {
  return new WarpError("overloaded", `this shard keeps at most ${max} leases`, {
    retryAfterMs: 1_000,
    details: { max },
  });
}

function checkTime(field: string, value: number, min: number, max: number): void {
  checkWhole("invalid_ttl", field, value, min, max);
}
