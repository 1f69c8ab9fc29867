import { WarpError } from "../../../errors.ts";
import type { WatchStart } from "../../../protocol/wire/watch-frames.ts";
import { maxAttachedBytes } from "../../../runtime/limits.ts";
import type { LogPosition } from "../../published-log.ts";
import { unwrittenEpoch } from "../../unwritten.ts";

/** A cursor of another epoch is told of the gap; one that this log has not reached is nobody's. Throws `invalid_cursor`. */
export function checkStart(from: WatchStart, head: LogPosition, written: LogPosition): void {
  if (typeof from === "string") return;
  const reached =
    from.epoch === unwrittenEpoch ? 0 : from.epoch === written.epoch ? written.revision : undefined;
  if (reached === undefined || from.revision <= reached) return;
  throw new WarpError("invalid_cursor", "the log has not reached this cursor", {
    details: { head: head.revision },
  });
}

export function tooMany(what: string, max: number): WarpError {
  return new WarpError("overloaded", `a ${what} has at most ${max} subscriptions`, { details: { max } });
}

/** Whether an attachment has room for them. */
export function isAttachable(records: readonly object[]): boolean {
  return sizeOf(records) <= maxAttachedBytes;
}

/** About how many bytes an attachment takes for them: a text has one for each character, or two if any needs them. */
function sizeOf(records: readonly object[]): number {
  const text = JSON.stringify(records);
  return /[^\0-\xff]/.test(text) ? 2 * text.length : text.length;
}
