import type { LeaseEndAction } from "../../protocol/lease.ts";
import type { KeyChanges } from "../key-changes.ts";
import type { KeyTable } from "../key-table.ts";
import type { AttachmentTable } from "./attachment-table.ts";

/** What became of some keys of an ended lease. */
export interface EndedKeys {
  /** Keys that it was carried out for. */
  readonly count: number;
  /** Those of them that a log entry tells of. */
  readonly touched: readonly string[];
}

/** What the ends of keys reach. */
export interface EndKeysParts {
  readonly keys: KeyTable;
  readonly changes: KeyChanges;
  readonly attachments: AttachmentTable;
}

/** Carries the end of a lease out for `ended`, as far as they are still attached, and takes them off the lease: one stretch of a commit. */
export function endKeys(
  { keys, changes, attachments }: EndKeysParts,
  lease: string,
  onEnd: LeaseEndAction,
  ended: readonly string[],
  nowMs: number,
): EndedKeys {
  const touched: string[] = [];
  let count = 0;
  for (const key of ended) {
    if (!attachments.has(lease, key)) continue;
    attachments.remove(lease, key);
    count++;
    const before = keys.state(key, nowMs);
    if (before?.due) changes.expire(key, before, nowMs);
    const present = before?.due ? undefined : before;
    // What is not stored is in no copy either: its own end was told.
    if (onEnd === "delete" && before === undefined) continue;
    touched.push(key);
    if (onEnd === "delete") {
      if (present !== undefined) changes.carryOut({ act: "delete", key, before: present }, { atMs: nowMs });
    } else {
      const [version, existed] = [present?.version ?? 0, present !== undefined];
      changes.carryOut({ act: "invalidate", key, version, existed }, { atMs: nowMs });
    }
  }
  return { count, touched };
}
