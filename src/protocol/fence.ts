import { WarpError } from "../errors.ts";
import { checkFence, checkLockName } from "./lock-name.ts";
import type { FenceGuard } from "./operation.ts";

/** Whom to ask about the locks of one shard. */
export interface HeldLocks {
  /** Whether `lock` is held under `fence` at this moment of the shard's order: live, and not merely offered to a waiter. */
  isHeld(lock: string, fence: number): boolean;
}

/** Throws `invalid_lock`, or `invalid_argument` for a fence that no grant can have. */
export function checkGuard({ lock, fence }: FenceGuard): void {
  checkLockName(lock);
  checkFence(fence);
}

/** The refusal of a write whose lock is not held under its fence (rule LK14). */
export function notHeld({ lock, fence }: FenceGuard): WarpError {
  return new WarpError("stale_fence", "the lock is not held under this fence, or not any more", {
    details: { lock, fence },
  });
}

/** The refusal of a write whose fence is lower than one that its key has seen (rule LK14). */
export function fenceBelow({ lock, fence }: FenceGuard, seen: number): WarpError {
  return new WarpError("stale_fence", "the key has seen a higher fence of this lock", {
    details: { lock, fence, seen },
  });
}
