import type { LockKind } from "../protocol/lock.ts";
import type { LockUsage } from "./lock-store.ts";

/** What of a wish for a lock decides beside which others it can be granted. */
export interface Wanted {
  readonly kind: LockKind;
  readonly permits: number;
  readonly take: number;
}

/** Whether two of these may stand on one name at all (rule LK13). Semaphores must agree on how many permits there are. */
export function isSameFamily(a: Wanted, b: Wanted): boolean {
  return family(a.kind) === family(b.kind) && (a.kind !== "semaphore" || a.permits === b.permits);
}

/** Whether `wanted`, of the same family, can be granted beside the live grants of its name (rule LK1). */
export function fits(usage: LockUsage | undefined, wanted: Wanted): boolean {
  if (usage === undefined) return true;
  if (wanted.kind === "read") return usage.kind === "read";
  return wanted.kind === "semaphore" && usage.taken + wanted.take <= wanted.permits;
}

function family(kind: LockKind): LockKind {
  return kind === "read" ? "write" : kind;
}
