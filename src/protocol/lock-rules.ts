import { WarpError } from "../errors.ts";
import { isWellFormed, utf8, utf8Length } from "../runtime/bytes.ts";
import {
  maxLockCommands,
  maxLockDelayMs,
  maxLockNameBytes,
  maxLockOwnerLength,
  maxLockPollMs,
  maxLockTicketLength,
  maxLockTtlMs,
  maxLockValueBytes,
  maxLockWaitMs,
  maxPermits,
  minLockTtlMs,
} from "../runtime/coordination-limits.ts";
import { fingerprint } from "../runtime/hash.ts";
import { maxContentTypeLength } from "../runtime/limits.ts";
import { checkWhole } from "../runtime/ranges.ts";
import type { LockCommand, LockKind } from "./lock.ts";
import { checkFence, checkLockName } from "./lock-name.ts";
import { checkOpId } from "./mutation.ts";
import type { Payload } from "./payload.ts";

export { checkFence, checkLockName } from "./lock-name.ts";

/** All kinds of locks. */
export const lockKinds = ["mutex", "reentrant", "read", "write", "semaphore", "election"] as const;

/** Throws `invalid_lock` unless `owner` is 1 to 128 characters. */
export function checkLockOwner(owner: string): void {
  checkWord(owner, "owner");
}

/** Throws `invalid_argument` unless `prefix` can begin a lock's name; the empty one begins all. */
export function checkLockPrefix(prefix: string): void {
  if (utf8Length(prefix) <= maxLockNameBytes && isWellFormed(prefix)) return;
  throw new WarpError("invalid_argument", `a prefix has at most ${maxLockNameBytes} bytes of UTF-8`, {
    details: { field: "prefix", min: 0, max: maxLockNameBytes },
  });
}

/** Throws `invalid_ttl` unless `ttlMs` is a whole number from 100 ms to 24 h. Leases have the same range. */
export function checkLockTtl(ttlMs: number): void {
  if (isWithin(ttlMs, minLockTtlMs, maxLockTtlMs)) return;
  throw new WarpError(
    "invalid_ttl",
    `ttlMs is a whole number from ${minLockTtlMs} to ${maxLockTtlMs} (24 h)`,
    { details: { field: "ttlMs", min: minLockTtlMs, max: maxLockTtlMs } },
  );
}

/** Throws `invalid_argument` unless `waitMs` is 0 to 25,000: how long one call may wait in a queue, or for a step of an election. */
export function checkLockPoll(waitMs: number): void {
  checkRange(waitMs, "waitMs", 0, maxLockPollMs);
}

/** Throws `batch_too_large` for more than 128 commands in one call, `invalid_argument` for none. */
export function checkLockCount(count: number): void {
  if (count > maxLockCommands) {
    throw new WarpError("batch_too_large", `a call has ${count} commands; at most ${maxLockCommands}`, {
      details: { commands: count, max: maxLockCommands },
    });
  }
  if (count === 0) {
    throw new WarpError("invalid_argument", "a call has at least one command", {
      details: { field: "commands", min: 1, max: maxLockCommands },
    });
  }
}

/** Throws for what is wrong with a waiter's question: `invalid_lock`, `invalid_argument`. An unknown ticket is for the table to tell. */
export function checkLockPlace(place: { name: string; owner: string; ticket: string; waitMs: number }): void {
  checkLockName(place.name);
  checkLockOwner(place.owner);
  checkTicket(place.ticket);
  checkLockPoll(place.waitMs);
}

/**
 * What is wrong with a command whatever the table holds; undefined: nothing. Such a refusal needs no memory: it would be given again. With `nowMs`, the
 * authority's time, its op id is looked at, too.
 */
export function checkLockCommand(command: LockCommand, nowMs?: number): WarpError | undefined {
  try {
    const wrongOpId = nowMs === undefined ? undefined : checkOpId(command.opId, nowMs);
    if (wrongOpId !== undefined) return wrongOpId;
    checkLockName(command.name);
    if (command.kind !== "force") checkLockOwner(command.owner);
    checkFields(command);
  } catch (error) {
    if (error instanceof WarpError) return error;
    throw error;
  }
  return undefined;
}

/** What tells one command from another under the same op id (rule OU2). */
export function lockPrint(command: LockCommand): string {
  const { opId: _, ...rest } = command;
  const value = "value" in rest ? rest.value : undefined;
  const told = {
    ...rest,
    ...(value !== undefined && { value: [value.contentType, fingerprint(value.bytes)] }),
  };
  // By name, since the order of members says nothing.
  const parts = Object.entries(told)
    .filter(([, part]) => part !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return fingerprint(utf8(JSON.stringify(["lock", ...parts])));
}

function checkFields(command: LockCommand): void {
  if ("fence" in command && command.fence !== undefined) checkFence(command.fence);
  if ("ticket" in command) checkTicket(command.ticket);
  switch (command.kind) {
    case "acquire":
      checkAcquire(command);
      break;
    case "renew":
      if (command.ttlMs !== undefined) checkLockTtl(command.ttlMs);
      break;
    case "proclaim":
      checkLockValue(command.value);
      break;
    case "force":
      checkWord(command.by, "by");
  }
}

function checkAcquire(command: Extract<LockCommand, { kind: "acquire" }>): void {
  const { as, ttlMs, permits, take, waitMs, delayMs, value } = command;
  if (!lockKinds.includes(as)) {
    throw new WarpError("invalid_argument", `a lock is one of ${lockKinds.join(", ")}`, {
      details: { field: "as", allowed: lockKinds },
    });
  }
  checkLockTtl(ttlMs);
  checkPermits(as, permits, take);
  if (waitMs !== undefined) checkRange(waitMs, "waitMs", 1, maxLockWaitMs);
  if (delayMs !== undefined) checkRange(delayMs, "delayMs", 0, maxLockDelayMs);
  if (value !== undefined) checkLockValue(value);
}

function checkPermits(kind: LockKind, permits: number | undefined, take: number | undefined): void {
  if (kind === "semaphore") {
    // The range is told also where there is no number.
    checkRange(permits ?? Number.NaN, "permits", 1, maxPermits);
    if (take !== undefined) checkRange(take, "take", 1, permits ?? 1);
    return;
  }
  const field = permits !== undefined ? "permits" : take !== undefined ? "take" : undefined;
  if (field === undefined) return;
  throw new WarpError("invalid_argument", `only a semaphore has ${field}`, { details: { field } });
}

/** Throws `value_too_large` above 16 KiB, `invalid_argument` for a content type that is too long. */
function checkLockValue({ bytes, contentType }: Payload): void {
  if (bytes.length > maxLockValueBytes) {
    throw new WarpError(
      "value_too_large",
      `the value has ${bytes.length} bytes; a grant's has at most ${maxLockValueBytes}`,
      { details: { bytes: bytes.length, max: maxLockValueBytes } },
    );
  }
  if (contentType.length > maxContentTypeLength) {
    throw new WarpError("invalid_argument", `a content type has at most ${maxContentTypeLength} characters`, {
      details: { field: "contentType", max: maxContentTypeLength },
    });
  }
}

function checkTicket(ticket: string): void {
  if (ticket !== "" && ticket.length <= maxLockTicketLength) return;
  throw new WarpError("invalid_argument", `a ticket has 1 to ${maxLockTicketLength} characters`, {
    details: { field: "ticket", min: 1, max: maxLockTicketLength },
  });
}

function checkWord(word: string, field: "owner" | "by"): void {
  if (word !== "" && word.length <= maxLockOwnerLength && isWellFormed(word)) return;
  throw new WarpError(
    field === "owner" ? "invalid_lock" : "invalid_argument",
    `${field} has 1 to ${maxLockOwnerLength} characters`,
    { details: { field, min: 1, max: maxLockOwnerLength } },
  );
}

function checkRange(value: number, field: string, min: number, max: number): void {
  checkWhole("invalid_argument", field, value, min, max);
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
