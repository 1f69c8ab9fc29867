import type { CallOptions } from "../adapter/adapter.ts";
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
  /** Who does it, kept with the ended grant: 1 to 128 characters. Default: the subject of the op ids. */
  readonly by?: string;
}

/** Options of `warp.leases.list` and `warp.leases.keys`. */
export interface LeaseListOptions extends CallOptions {
  /** 1 to 1,000, default 100. */
  readonly limit?: number;
  /** Of the page before. */
  readonly cursor?: string;
}
