import type { CallOptions } from "../adapter/adapter.ts";
import type { HoldOptions, LockOptions } from "../locking/lock-options.ts";
import type { Codec } from "../runtime/codec.ts";
import type { MutationOptions } from "./mutation-types.ts";

/** Options of `warp.locks.list`. */
export interface LockListOptions extends CallOptions {
  /** Only names that begin with it. Default: all. */
  readonly prefix?: string;
  /** 1 to 1,000, default 100. */
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string;
}

/** Options of `warp.locks.force`. */
export interface ForceOptions extends MutationOptions {
  /** Only the grant of this fence. Default: all of the name. */
  readonly fence?: number;
  /** Who does it, kept with the ended grant: 1 to 128 characters. Default: the subject of the op ids; over a socket no other is allowed. */
  readonly by?: string;
}

/** Options of `warp.leases.list` and `warp.leases.keys`. */
export interface LeaseListOptions extends CallOptions {
  /** 1 to 1,000, default 100. */
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string;
}

/** Options of `warp.lock`, `warp.tryLock` and `warp.withLock`. */
export interface WarpLockOptions<T = unknown> extends Omit<LockOptions, "value"> {
  /** What others can read of the grant, at most 16 KiB. */
  readonly value?: T;
  /** Default `jsonCodec`. */
  readonly codec?: Codec<T>;
}

/** Options of `election.campaign`. */
export interface CampaignOptions extends HoldOptions {
  /** Campaign for so long, 0 to 3,600,000 ms. Default: until it is elected. */
  readonly waitMs?: number;
}

/** Who leads an election. */
export interface Leader<T = unknown> {
  readonly owner: string;
  readonly fence: number;
  /** What it stands for; undefined: it did not say. */
  readonly value: T | undefined;
  /** What was left of its time, in ms. */
  readonly remainingMs: number;
}
