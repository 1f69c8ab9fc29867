import { WarpError } from "../errors.ts";
import type { LockKind } from "../protocol/lock.ts";
import type { Payload } from "../protocol/payload.ts";
import { type CallLimits, checkCallLimits } from "../runtime/call-limits.ts";
import { defaultLockTtlMs, maxLockWaitMs } from "../runtime/coordination-limits.ts";

/** What every lock takes, of whatever kind. */
export interface HoldOptions extends CallLimits {
  /**
   * Who acquires: 1 to 128 characters, different for all that must keep each other out. Default: random, so that each call is an owner of its own.
   */
  readonly owner?: string;
  /** Time to live at the authority unless it is renewed, 100 ms to 24 h. Default 30,000. */
  readonly ttlMs?: number;
  /** After an end without a release the name stays closed for so long, 1 to 60,000 ms: time for what a lost holder had under way. Default none. */
  readonly delayMs?: number;
  /** Whether it is renewed while this process has it. Default true. */
  readonly autoRenew?: boolean;
  /** Renewed by itself at most until so long after its acquisition, `ttlMs` or more. Default: no such end. */
  readonly maxLifeMs?: number;
  /** Ends when the connection of this node to the shard does (drivers with sessions only). Default false: it outlives connections until its time is over. */
  readonly endsWithSession?: boolean;
}

/** Options of a lock. */
export interface LockOptions extends HoldOptions {
  /** Default `"mutex"`. `reentrant` wants an `owner`, `semaphore` wants `permits`. */
  readonly kind?: Exclude<LockKind, "election">;
  /** Stand in the queue for so long if it is not free, 0 to 3,600,000 ms. Default 0: `lock_held` then. */
  readonly waitMs?: number;
  /** Semaphore only: how many permits there are, 1 to 10,000, the same for all; and how many of them to take, default 1. */
  readonly permits?: number;
  readonly take?: number;
  /** What others can read of the grant, at most 16 KiB. */
  readonly value?: Payload;
}

/** {@link LockOptions} of any kind, checked where nobody else does. */
export interface ResolvedLock extends LockOptions {
  readonly as: LockKind;
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly autoRenew: boolean;
}

/** Throws `invalid_argument` that names the option; names, owners, times to live and permits are checked with the command. */
export function resolveLock(options: LockOptions, as: LockKind = options.kind ?? "mutex"): ResolvedLock {
  const { ttlMs = defaultLockTtlMs, waitMs = 0, autoRenew = true, maxLifeMs } = options;
  checkCallLimits(options);
  if (!(Number.isInteger(waitMs) && waitMs >= 0 && waitMs <= maxLockWaitMs)) {
    throw wrong("waitMs", `a whole number from 0 to ${maxLockWaitMs}`, { min: 0, max: maxLockWaitMs });
  }
  if (maxLifeMs !== undefined && !(Number.isFinite(maxLifeMs) && maxLifeMs >= ttlMs)) {
    throw wrong("maxLifeMs", "ttlMs or more", { min: ttlMs });
  }
  if (as === "reentrant" && options.owner === undefined) {
    // With a random one nobody could acquire it again.
    throw wrong("owner", "needed for a re-entrant lock", {});
  }
  return { ...options, as, ttlMs, waitMs, autoRenew };
}

function wrong(field: string, form: string, range: Readonly<Record<string, number>>): WarpError {
  return new WarpError("invalid_argument", `${field} is ${form}`, { details: { field, ...range } });
}
