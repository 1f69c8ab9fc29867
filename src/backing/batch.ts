import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { maxBackingChanges, maxBackingKeys, maxBackingScan } from "../runtime/backing-limits.ts";
import { utf8Length } from "../runtime/bytes.ts";
import type { BackingBatch, BackingChange, BackingPosition, LogPlace } from "./backing.ts";

/** Whether the first place is behind the second one. */
export function isAfter(one: LogPlace, other: LogPlace): boolean {
  return one.revision === other.revision ? one.seq > other.seq : one.revision > other.revision;
}

/** Whether both are the same; null is nowhere. */
export function isSamePosition(one: BackingPosition | null, other: BackingPosition | null): boolean {
  if (one === null || other === null) return one === other;
  return one.epoch === other.epoch && one.revision === other.revision && one.seq === other.seq;
}

/** What a change counts for in `maxBatchBytes`: key, value, content type and tags in bytes, and 64 for what stands around them. */
export function changeBytes(change: BackingChange): number {
  const bytes = utf8Length(change.key) + 64;
  if (change.kind === "delete") return bytes;
  const { payload, tags = [] } = change;
  const named = tags.reduce((sum, tag) => sum + utf8Length(tag), 0);
  return bytes + payload.bytes.length + utf8Length(payload.contentType) + named;
}

/** Gives the position that the batch leads to. Throws `invalid_argument` where its changes are not 1 to 500 in the log's order behind `after`; `invalid_key`. */
export function checkBatch({ after, changes }: BackingBatch): BackingPosition {
  checkCount("changes", changes.length, maxBackingChanges);
  let place: LogPlace = after;
  for (const change of changes) {
    checkKey(change.key);
    if (!isAfter(change, place)) {
      throw new WarpError(
        "invalid_argument",
        "the changes of a batch stand in the log's order, behind `after`",
        {
          details: { field: "changes" },
        },
      );
    }
    place = change;
  }
  return { epoch: after.epoch, revision: place.revision, seq: place.seq };
}

/** The last change of each key, in the order of their keys' first ones: what a batch that is carried out as a whole comes to. */
export function netChanges(changes: readonly BackingChange[]): readonly BackingChange[] {
  return [...new Map(changes.map((change) => [change.key, change])).values()];
}

/** Throws `invalid_argument` unless they are 1 to 500; `invalid_key`. */
export function checkReadKeys(keys: readonly string[]): void {
  checkCount("keys", keys.length, maxBackingKeys);
  for (const key of keys) checkKey(key);
}

/** Throws `invalid_limit` unless it is 1 to 1,000. */
export function checkScanLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= maxBackingScan) return;
  throw new WarpError("invalid_limit", `limit is a whole number from 1 to ${maxBackingScan}`, {
    details: { field: "limit", min: 1, max: maxBackingScan },
  });
}

function checkCount(field: string, count: number, max: number): void {
  if (count >= 1 && count <= max) return;
  throw new WarpError("invalid_argument", `there are 1 to ${max} ${field} in a call to the storage`, {
    details: { field, min: 1, max },
  });
}
