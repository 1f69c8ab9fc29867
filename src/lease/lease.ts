/**
 * The contract of leases: revocable, expiring groups of keys. One file, one contract; drivers live in the folders beside it, and `test/contract/lease.ts`
 * holds each of them to every line here. Handles that keep themselves alive (`warp.lease`) are the core's, over any driver.
 */

import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../protocol/lease.ts";
import type { CallLimits } from "../runtime/call-limits.ts";

/** What a driver can do; a missing ability is refused with `unsupported`, and that refusal is tested. */
export interface LeasesSupports {
  /** Leases outlive the process that keeps them, and an end that was begun is carried on after a crash (rule LS4). */
  readonly durable: boolean;
  /** Other processes see them. */
  readonly shared: boolean;
}

/** A page of live leases. */
export interface LeasePage {
  readonly leases: readonly LeaseInfo[];
  /** Where the next page begins; undefined: this was the last. Opaque. */
  readonly cursor: string | undefined;
}

/** A page of a lease's keys. */
export interface LeaseKeysPage {
  readonly keys: readonly string[];
  readonly cursor: string | undefined;
}

/**
 * Leases of one space. A definite refusal is a verdict of its own command; an error thrown by a call concerns the whole call and says by its `outcome`
 * whether anything may have been done.
 */
export interface Leases {
  readonly supports: LeasesSupports;
  /**
   * Carries out 1 to 128 commands side by side; the verdicts stand in order. `attach` and `detach` take up to 1,000 keys of any shards, all or nothing in each
   * shard (a failure says by its outcome whether others may have been changed). A `revoke` is answered when every key of it is dealt with on
   * every shard.
   */
  run(commands: readonly LeaseCommand[], options?: CallLimits): Promise<readonly LeaseVerdict[]>;
  /** Undefined: there is no such lease, or it has ended (rule LS1). */
  info(id: string, options?: CallLimits): Promise<LeaseInfo | undefined>;
  /** Live leases in order of their ids: `limit` 1 to 1,000, default 100. */
  list(options?: CallLimits & { readonly limit?: number; readonly cursor?: string }): Promise<LeasePage>;
  /** Keys of a lease: `limit` 1 to 1,000, default 100. */
  keys(
    id: string,
    options?: CallLimits & { readonly limit?: number; readonly cursor?: string },
  ): Promise<LeaseKeysPage>;
  /** Hears of leases that have ended, where the driver is told; best effort. The answer takes it back. */
  onEnd(listener: (id: string) => void): () => void;
  /** Ends what the driver holds open; idempotent. Calls after it are `warp_closed`. Leases stay. */
  close(): Promise<void>;
}
