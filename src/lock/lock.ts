/**
 * The contract of locks and elections. One file, one contract; drivers live in the folders beside it, and `test/contract/lock.ts` holds each of them
 * to every line here. Handles that renew themselves (`warp.lock`) are the core's, over any driver.
 */

import type { ElectionEvent, LockCommand, LockEnd, LockInfo, LockVerdict } from "../protocol/lock.ts";
import type { CallLimits } from "../runtime/call-limits.ts";

/** What a driver can do; a missing ability is refused with `unsupported`, and that refusal is tested. */
export interface LocksSupports {
  /** At most one exclusive grant at every point of one order, whatever fails (rule LK1). False: best effort. */
  readonly exclusive: boolean;
  /** Grants and queues outlive the process that keeps them. */
  readonly durable: boolean;
  /** Keeps other processes out, too. */
  readonly shared: boolean;
  /** Waiters stand in a queue that is served in order (rule LK8); false: they try again. */
  readonly fair: boolean;
  /** Grants may end with the session that asked for them. */
  readonly sessions: boolean;
  /** Elections, and `observe`. */
  readonly elections: boolean;
}

/** The end of a grant that this node was given, told unasked. */
export interface EndedGrant {
  readonly name: string;
  readonly fence: number;
  readonly reason: LockEnd;
}

/** A page of names in use. */
export interface LockPage {
  readonly locks: readonly LockInfo[];
  /** Where the next page begins; undefined: this was the last. Opaque. */
  readonly cursor: string | undefined;
}

/** Steps of an election. */
export interface ObservedElection {
  readonly events: readonly ElectionEvent[];
  /** To go on from: `epoch.revision`, so that each event's own revision makes one, too. */
  readonly cursor: string;
  /** Steps before these were not kept: the events begin with the present leader. */
  readonly gap: boolean;
}

/**
 * Locks of one space. A definite refusal is a verdict of its own command; an error thrown by a call concerns the whole call and says by its `outcome` whether
 * anything may have been done.
 */
export interface Locks {
  readonly supports: LocksSupports;
  /**
   * Carries out 1 to 128 commands, those of one shard in one commit and in their order; the verdicts stand in order. Throws `batch_too_large`,
   * `invalid_argument`.
   */
  run(commands: readonly LockCommand[], options?: CallLimits): Promise<readonly LockVerdict[]>;
  /** Waits at most `waitMs` (0 to 25,000) for a place in the queue to be offered the lock: see `LockWaitReply`. */
  wait(
    place: {
      readonly name: string;
      readonly owner: string;
      readonly ticket: string;
      readonly waitMs: number;
    },
    options?: CallLimits,
  ): Promise<LockVerdict>;
  info(name: string, options?: CallLimits): Promise<LockInfo>;
  /** Names in use, in order of their UTF-8 bytes: `limit` 1 to 1,000, default 100. */
  list(
    options?: CallLimits & { readonly prefix?: string; readonly limit?: number; readonly cursor?: string },
  ): Promise<LockPage>;
  /**
   * Steps of an election after `cursor` (absent: the present leader alone); if there are none, waits for one for at most `waitMs` (0 to 25,000).
   * `unsupported` without `supports.elections`.
   */
  observe(
    name: string,
    options: CallLimits & { readonly cursor?: string; readonly waitMs: number },
  ): Promise<ObservedElection>;
  /** Hears of grants of this node that have ended otherwise than by its own release, where the driver is told; best effort. The answer takes it back. */
  onEnd(listener: (ended: EndedGrant) => void): () => void;
  /** Ends what the driver holds open; idempotent. Calls after it are `warp_closed`. Grants stay. */
  close(): Promise<void>;
}
