import type { LockCommand, LockVerdict } from "../protocol/lock.ts";
import type { LockTable } from "./lock-table.ts";

/**
 * The kept verdict of a repeated command (rule OU2), true of this moment: one who stood in the queue hears how the place stands now, since the lock may have been offered
 * meanwhile; and a grant's time is what is left of it by now, 0 where it has ended, since who reads the answer counts from here on (rule LK7).
 */
export function asOfNow(
  table: LockTable,
  command: LockCommand,
  verdict: LockVerdict,
  nowMs: number,
): LockVerdict {
  if (verdict.outcome === "fail") return verdict;
  const { name } = command;
  if (verdict.state === "held") {
    return { ...verdict, remainingMs: table.remainingMs(name, verdict.fence, nowMs) };
  }
  if (verdict.state !== "waiting" || command.kind !== "acquire") return verdict;
  const { owner } = command;
  return { ...table.standing({ name, owner, ticket: verdict.ticket }, nowMs), replayed: true };
}
