/** What a node and a shard, and the shards among themselves, say about leases: plain data. `docs/leases.md` tells what it promises. */

import type { ErrorData } from "../errors.ts";
import type { CallScope, Refusal, ShardStamp } from "./call-scope.ts";

/** What the end of a lease does to its keys: drop every copy, or delete them. */
export type LeaseEndAction = "invalidate" | "delete";

/**
 * One command about a lease. `id` is 16 to 64 of `a-z 0-9`, random, chosen by the granting node; it decides the lease's home shard. `grant`, `keepAlive`
 * and `revoke` go there, `attach` and `detach` to the shard of their keys.
 */
export type LeaseCommand =
  | {
      readonly kind: "grant";
      readonly opId: string;
      readonly id: string;
      /** 100 ms to 24 h. */
      readonly ttlMs: number;
      readonly onEnd: LeaseEndAction;
      /** It ends then, however often it is kept alive: `ttlMs` to 30 days. Absent: no such end. */
      readonly maxLifeMs?: number;
    }
  | { readonly kind: "keepAlive"; readonly opId: string; readonly id: string }
  /** Answered when every shard has carried out the end (rule LS4). */
  | { readonly kind: "revoke"; readonly opId: string; readonly id: string }
  | {
      readonly kind: "attach" | "detach";
      readonly opId: string;
      readonly id: string;
      /** 1 to 1,000, all of one shard. */
      readonly keys: readonly string[];
    };

/** How a command ended. */
export type LeaseVerdict =
  | {
      readonly outcome: "ok";
      /** `grant`, `keepAlive`: what is left in the commit. */
      readonly remainingMs?: number;
      /** `attach`, `detach`: how many keys were not attached before, or were. */
      readonly changed?: number;
      readonly replayed?: true;
    }
  | { readonly outcome: "fail"; readonly error: ErrorData; readonly replayed?: true };

export interface LeaseRequest extends CallScope {
  /** 1 to 128. */
  readonly commands: readonly LeaseCommand[];
}

export interface LeaseReply extends ShardStamp {
  readonly verdicts: readonly LeaseVerdict[];
}

/** A live lease, as its home shard has it. */
export interface LeaseInfo {
  readonly id: string;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly onEnd: LeaseEndAction;
  readonly grantedAtMs: number;
  /** What is left of `maxLifeMs`; absent: no such end. */
  readonly lifeRemainingMs?: number;
  /** The shards that may have keys of it. */
  readonly shards: readonly number[];
}

export interface LeaseInfoRequest extends CallScope {
  readonly id: string;
}

export interface LeaseInfoReply extends ShardStamp {
  /** Null: there is no such lease, or it has ended. */
  readonly info: LeaseInfo | null;
}

/** The live leases whose home this shard is, in order of their ids. */
export interface LeaseListRequest extends CallScope {
  readonly after?: string;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface LeaseListReply extends ShardStamp {
  readonly leases: readonly LeaseInfo[];
  readonly more: boolean;
}

/** The keys of this shard that are attached to a lease, in order of their UTF-8 bytes. */
export interface LeaseKeysRequest extends CallScope {
  readonly id: string;
  readonly after?: string;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface LeaseKeysReply extends ShardStamp {
  readonly keys: readonly string[];
  readonly more: boolean;
}

/** From a shard to a lease's home: keys of mine are about to be attached, tell me of its end. */
export interface LeaseJoinRequest extends CallScope {
  readonly id: string;
  /** The shard that asks. */
  readonly member: number;
}

export interface LeaseJoinReply extends ShardStamp {
  /** `lease_not_found` is a refusal. */
  readonly joined: true;
}

/** From a lease's home to a shard: it has ended. Answered when that is carried out for every key of the shard. */
export interface LeaseEndRequest extends CallScope {
  readonly id: string;
  readonly onEnd: LeaseEndAction;
}

export interface LeaseEndReply extends ShardStamp {
  /** Keys that it was carried out for by this call. */
  readonly keys: number;
}

/** The lease calls of one shard: see `ShardApi`. */
export interface LeaseShardApi {
  lease(request: LeaseRequest): Promise<LeaseReply | Refusal>;
  leaseInfo(request: LeaseInfoRequest): Promise<LeaseInfoReply | Refusal>;
  listLeases(request: LeaseListRequest): Promise<LeaseListReply | Refusal>;
  leaseKeys(request: LeaseKeysRequest): Promise<LeaseKeysReply | Refusal>;
}

/** What shards of one space ask of each other about leases. No node may. */
export interface LeasePeerApi {
  joinLease(request: LeaseJoinRequest): Promise<LeaseJoinReply | Refusal>;
  endLease(request: LeaseEndRequest): Promise<LeaseEndReply | Refusal>;
}
