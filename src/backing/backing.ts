/**
 * The contract of what stands behind a shard: external storage that follows the shard's log. The shard is the authority; a backing holds what the shard has
 * told it, in the log's order, and what others wrote there. One file, one contract; drivers live in the folders beside it, and `test/contract/backing.ts`
 * holds each of them to every line here.
 */

import type { Payload } from "../protocol/payload.ts";
import type { CallLimits } from "../runtime/call-limits.ts";

/** What a driver can do. */
export interface BackingSupports {
  /** A batch is carried out as a whole or not at all, whatever happens in its middle. */
  readonly atomicBatch: boolean;
  /** The storage itself ends lives; else what has ended stays there until the shard's deletion arrives. */
  readonly expiry: boolean;
  /** `scan` goes through all keys. */
  readonly scan: boolean;
  /** What was confirmed outlives the process. */
  readonly persistent: boolean;
}

/** A place in a shard's log: a revision, and the place in it where a revision has several entries. */
export interface LogPlace {
  readonly revision: number;
  readonly seq: number;
}

/** How far a shard's log has been carried out. */
export interface BackingPosition extends LogPlace {
  /** Of the life of the shard whose log it is. */
  readonly epoch: string;
}

/** What is stored under a key. */
export interface BackingEntry {
  readonly key: string;
  readonly payload: Payload;
  readonly tags?: readonly string[];
  readonly modifiedAtMs?: number;
  readonly expiresAtMs?: number;
  /** The epoch and version that a shard gave it. Absent: others wrote it, in plain form. */
  readonly stamp?: { readonly epoch: string; readonly version: number };
}

/** One log entry on its way to the storage. */
export type BackingChange = LogPlace & { readonly key: string } & (
    | {
        readonly kind: "put";
        /** The key's version, given by the shard. */
        readonly version: number;
        readonly payload: Payload;
        readonly tags?: readonly string[];
        readonly modifiedAtMs: number;
        readonly expiresAtMs?: number;
      }
    | { readonly kind: "delete" }
  );

/** Log entries of one shard, oldest first. */
export interface BackingBatch {
  readonly shard: number;
  /** The storage must have carried out exactly so much; else nothing is done. This is what keeps a late copy of a batch from landing. */
  readonly after: BackingPosition;
  /** 1 to 500; of `after.epoch`. */
  readonly changes: readonly BackingChange[];
}

/**
 * - `applied`: all of it, and the position is that of the last change.
 * - `repeated`: the position was there already: an earlier copy of this batch has been carried out.
 * - `elsewhere`: nothing was done, the storage is at another position (null: nobody ever bound it). One of the same epoch beyond `after` means that an earlier batch, cut
 *   elsewhere, has got there: what lies up to it is carried out.
 */
export type BackingVerdict =
  | { readonly state: "applied" | "repeated" }
  | { readonly state: "elsewhere"; readonly found: BackingPosition | null };

/** A page of keys in no order. A key may come twice; one that is there all the while comes at least once, unless the storage is restarted meanwhile. */
export interface BackingPage {
  /** May be empty, or a few more than were asked for. */
  readonly keys: readonly string[];
  /** Absent: that was the last. */
  readonly cursor?: string;
}

/**
 * The storage of one space. All calls throw `storage_timeout`, `storage_unavailable` (retryable; of calls that write with outcome `unknown` where it is unknown), `decode_failed`
 * with `details.key`, `aborted`, `warp_closed`. Errors quote neither values nor tokens.
 */
export interface Backing {
  readonly supports: BackingSupports;
  /** Bytes of a batch that it takes in any case, as `changeBytes` counts them: at most 4 MiB. */
  readonly maxBatchBytes: number;
  /** How far a shard's log has been carried out; null: nobody ever bound it. */
  position(shard: number, limits?: CallLimits): Promise<BackingPosition | null>;
  /**
   * Makes `next` the position if it is `expected` now: how a shard begins, and how one of another life takes over. Gives whether it did. Atomic; a repetition of one that was carried
   * out gives true.
   */
  bind(
    shard: number,
    expected: BackingPosition | null,
    next: BackingPosition,
    limits?: CallLimits,
  ): Promise<boolean>;
  /**
   * Carries a batch out, or nothing of it. Of several changes of a key the last one counts. Throws also `invalid_argument` for a batch out of order and `batch_too_large`
   * (outcome `fail`) for one that the storage does not take: its parts may be, a single change may not.
   */
  apply(batch: BackingBatch, limits?: CallLimits): Promise<BackingVerdict>;
  /** The answers for 1 to 500 keys, in order; null: absent. A life that has ended, by the clock of this side, is absent. Times are whole milliseconds. */
  read(keys: readonly string[], limits?: CallLimits): Promise<readonly (BackingEntry | null)[]>;
  /** A page of about `limit` keys, 1 to 1,000. */
  scan(
    options: { readonly limit: number; readonly cursor?: string },
    limits?: CallLimits,
  ): Promise<BackingPage>;
  /** Removes a part of all that the space has there, positions last. Gives whether it is all gone. */
  clear(limits?: CallLimits): Promise<boolean>;
  /** Ends what is under way; idempotent. */
  close(): void;
}
