import { fenceBelow, type HeldLocks, notHeld } from "../protocol/fence.ts";
import { shardOf } from "../protocol/key.ts";
import type { FenceGuard } from "../protocol/operation.ts";
import type { FenceTable } from "./fence-table.ts";

/** What {@link Fences} works on. */
export interface FenceParts {
  readonly table: FenceTable;
  /** The locks of this shard. */
  readonly locks: HeldLocks;
  /** Shards of the space. */
  readonly shards: number;
}

/** Judges what ties changes to locks (rule LK14), inside the stretch that makes the change: what is due has been expired in it. */
export class Fences implements HeldLocks {
  readonly #parts: FenceParts;

  constructor(parts: FenceParts) {
    this.#parts = parts;
  }

  isHeld(lock: string, fence: number): boolean {
    return this.#parts.locks.isHeld(lock, fence);
  }

  /** Throws `stale_fence` where `key`, a key of this shard, may not be changed under `guard`. */
  check(key: string, guard: FenceGuard): void {
    const { table, locks } = this.#parts;
    if (this.#isNear(key, guard)) {
      if (!locks.isHeld(guard.lock, guard.fence)) throw notHeld(guard);
      return;
    }
    const seen = table.highest(key, guard.lock);
    if (guard.fence < seen) throw fenceBelow(guard, seen);
  }

  /** Keeps in mind what a change that is carried out showed, where the lock's own shard is another. */
  remember(key: string, guard: FenceGuard, atMs: number): void {
    if (!this.#isNear(key, guard)) this.#parts.table.raise(key, guard.lock, guard.fence, atMs);
  }

  #isNear(key: string, { lock }: FenceGuard): boolean {
    const { shards } = this.#parts;
    return shardOf(lock, shards) === shardOf(key, shards);
  }
}
