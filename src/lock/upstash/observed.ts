import { formatCursor, type parseCursor } from "../../protocol/position.ts";
import { electionStepMs } from "../../runtime/coordination-limits.ts";
import { maxTimeoutMs } from "../../runtime/limits.ts";
import type { ObservedElection } from "../lock.ts";
import type { LocksNow } from "./upstash-lock-space.ts";

/** Revisions are never behind the clock, so that one tells of its time. */
const revisionsPerMs = 1_024;

/** Where an observer stands. */
export type StepCursor = ReturnType<typeof parseCursor>;

/** The steps of an election since a cursor, with the next one. */
export function observedAt(
  { table, nowMs, epoch, revision }: LocksNow,
  name: string,
  since: StepCursor | undefined,
): ObservedElection {
  const isOfHere =
    since !== undefined &&
    since.epoch === epoch &&
    since.revision <= Math.max(revision, nowMs * revisionsPerMs);
  const { events, to, gap } = table.steps(name, isOfHere ? since.revision : undefined);
  const strange = since !== undefined && !isOfHere;
  // A document that has gone does not tell what there was: after so long there may have been something.
  const isOld = events.length === 0 && isOfHere && since.revision < (nowMs - electionStepMs) * revisionsPerMs;
  const isQuiet = events.length === 0 && (!isOfHere || isOld);
  // What has been begun and is not written yet has a revision of its beginning.
  const soonest = Math.max(0, Math.floor(nowMs - 2 * maxTimeoutMs) * revisionsPerMs);
  const next = isQuiet ? Math.max(to, soonest) : to;
  return { events, cursor: formatCursor({ epoch, revision: next }), gap: gap || strange || isOld };
}
