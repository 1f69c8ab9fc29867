/** What a node and a shard say to each other about locks and elections: plain data. `docs/lock.md` tells what it promises. */

import type { ErrorData } from "../errors.ts";
import type { CallScope, Refusal, ShardStamp } from "./call-scope.ts";
import type { Payload } from "./payload.ts";

/**
 * What a name is used for. Live grants and waiters of one name are of one kind (rule LK13), `read` and `write` counting as one: everything else is
 * `wrong_kind`. A name that nobody holds and nobody waits for is free for every kind.
 */
export type LockKind =
  /** One grant at a time. */
  | "mutex"
  /** One owner at a time, who may acquire again and releases as often. */
  | "reentrant"
  /** Any number of readers, or one writer. A writer that waits holds back later readers. */
  | "read"
  | "write"
  /** Up to `permits` permits at a time. */
  | "semaphore"
  /** A mutex whose holder, the leader, has a value; what happens to it can be observed. */
  | "election";

/** One command to the lock table of a shard. `opId` is scoped (see `scopeOpId`); a repeat gets the first verdict (rule OU2). */
export type LockCommand =
  | {
      readonly kind: "acquire";
      readonly opId: string;
      readonly name: string;
      /** Who acquires: 1 to 128 characters, of the caller's choosing; different for callers that must keep each other out. */
      readonly owner: string;
      readonly as: LockKind;
      /** 100 ms to 24 h, from the commit of the grant on. */
      readonly ttlMs: number;
      /** Semaphore only: how many permits there are (1 to 10,000, the same for all), and how many of them to take (default 1). */
      readonly permits?: number;
      readonly take?: number;
      /** Stand in the queue for so long if it is not free, 1 to 3,600,000 ms; absent: `lock_held` then. */
      readonly waitMs?: number;
      /** After an end without a release the name stays closed for so long, 1 to 60,000 ms. Default 0. */
      readonly delayMs?: number;
      /** What others can read of the grant; of an election, what the leader stands for. At most 16 KiB. */
      readonly value?: Payload;
      /** The grant ends with the session that asks (calls over a socket only; `invalid_argument` else). */
      readonly endsWithSession?: true;
    }
  /** Takes what was offered to a waiter: the time to live begins now. */
  | {
      readonly kind: "claim";
      readonly opId: string;
      readonly name: string;
      readonly owner: string;
      readonly ticket: string;
    }
  /** Leaves the queue, or releases what was offered or claimed under the ticket (rule LK10). */
  | {
      readonly kind: "cancel";
      readonly opId: string;
      readonly name: string;
      readonly owner: string;
      readonly ticket: string;
    }
  /** The time to live begins anew; with `ttlMs` with another one. Never brings the deadline forward: what was promised stays. */
  | {
      readonly kind: "renew";
      readonly opId: string;
      readonly name: string;
      readonly owner: string;
      readonly fence: number;
      readonly ttlMs?: number;
    }
  | {
      readonly kind: "release";
      readonly opId: string;
      readonly name: string;
      readonly owner: string;
      readonly fence: number;
    }
  /** Whether the grant is live at this moment of the shard's order. Answered only by the authority, whose commit proves it (rule LK3). */
  | {
      readonly kind: "confirm";
      readonly opId: string;
      readonly name: string;
      readonly owner: string;
      readonly fence: number;
    }
  /** The leader's value is another from now on. */
  | {
      readonly kind: "proclaim";
      readonly opId: string;
      readonly name: string;
      readonly owner: string;
      readonly fence: number;
      readonly value: Payload;
    }
  /** An admin ends a grant, or with no fence all of the name (rule LK12). `by` is kept with it. */
  | {
      readonly kind: "force";
      readonly opId: string;
      readonly name: string;
      readonly fence?: number;
      readonly by: string;
    };

/** Why a grant ended. */
export type LockEnd = "released" | "expired" | "unclaimed" | "session" | "forced" | "cancelled";

/** How a command ended. */
export type LockVerdict =
  /** The grant is the owner's. `acquire`, `claim`, `renew`, `confirm`, `proclaim`. */
  | {
      readonly outcome: "ok";
      readonly state: "held";
      readonly fence: number;
      /**
       * Its time to live, and what was left of it in the commit. `acquire`, `claim` and `renew` leave at least `ttlMs`, so that their send time plus `ttlMs`
       * bounds the holder's validity (rule LK7); `confirm` and `proclaim` put nothing off.
       */
      readonly ttlMs: number;
      readonly remainingMs: number;
      /** Re-entrant: how often it must be released. Else 1. */
      readonly count: number;
      readonly replayed?: true;
    }
  /** It stands in the queue; `position` 1 is next. Silent waiters before it count until their places are given up. */
  | {
      readonly outcome: "ok";
      readonly state: "waiting";
      readonly ticket: string;
      readonly position: number;
      readonly replayed?: true;
    }
  /** It is the waiter's if it claims it in time. */
  | {
      readonly outcome: "ok";
      readonly state: "offered";
      readonly ticket: string;
      readonly fence: number;
      readonly claimWithinMs: number;
      readonly replayed?: true;
    }
  /** `release`, `cancel`, `force`: it is over. `count`: how often a re-entrant lock is still to be released; for `force` the number of grants ended. */
  | { readonly outcome: "ok"; readonly state: "ended"; readonly count: number; readonly replayed?: true }
  | { readonly outcome: "fail"; readonly error: ErrorData; readonly replayed?: true };

export interface LockRequest extends CallScope {
  /** 1 to 128, of names of this shard; carried out in order, in one commit. */
  readonly commands: readonly LockCommand[];
}

export interface LockReply extends ShardStamp {
  /** One for each command, in order. */
  readonly verdicts: readonly LockVerdict[];
}

/** Waits in the queue: answered when the place is offered the lock, or when the time is over. */
export interface LockWaitRequest extends CallScope {
  readonly name: string;
  readonly owner: string;
  readonly ticket: string;
  /** 0 to 25,000 ms. */
  readonly waitMs: number;
}

export interface LockWaitReply extends ShardStamp {
  /** `waiting` or `offered`; `held` where it was claimed; `ticket_not_found`, or `lock_held` where the whole wait is over, as a failure. */
  readonly verdict: LockVerdict;
}

/** A live grant as anyone who may read can see it. */
export interface LockHolder {
  readonly owner: string;
  readonly fence: number;
  readonly kind: LockKind;
  readonly ttlMs: number;
  readonly remainingMs: number;
  readonly count: number;
  /** Permits of the semaphore that it has. Else 1. */
  readonly take: number;
  /** Offered to a waiter that has not claimed it yet. */
  readonly offered?: true;
  readonly value?: Payload;
}

/** A name that is in use, or was forced not long ago. */
export interface LockInfo {
  readonly name: string;
  /** The oldest 100, by fence; in a list the oldest 16, without their values. */
  readonly holders: readonly LockHolder[];
  /** How many more there are. */
  readonly omitted?: number;
  readonly waiters: number;
  /** Semaphore: how many there are. */
  readonly permits?: number;
  /** Closed for so long after an end without a release. */
  readonly closedForMs?: number;
  /** The last forced end within 30 days. */
  readonly forced?: {
    readonly by: string;
    readonly owner: string;
    readonly fence: number;
    readonly atMs: number;
  };
}

export interface LockInfoRequest extends CallScope {
  readonly name: string;
}

export interface LockInfoReply extends ShardStamp {
  /** Of a name that nobody uses: no holders, no waiters. */
  readonly info: LockInfo;
}

export interface LockListRequest extends CallScope {
  /** Only names that begin with it; empty: all. */
  readonly prefix: string;
  /** Only names after this one, in order of their UTF-8 bytes. */
  readonly after?: string;
  /** 1 to 1,000. */
  readonly limit: number;
}

export interface LockListReply extends ShardStamp {
  readonly locks: readonly LockInfo[];
  readonly more: boolean;
}

/** One step of an election. */
export interface ElectionEvent {
  readonly revision: number;
  /** `ended`: there is no leader since; another `elected` may follow. */
  readonly kind: "elected" | "proclaimed" | "ended";
  readonly owner: string;
  readonly fence: number;
  /** Of `elected` (if it campaigned with one) and `proclaimed`. */
  readonly value?: Payload;
  /** Of `ended`. */
  readonly reason?: LockEnd;
}

export interface ObserveRequest extends CallScope {
  readonly name: string;
  /** The events after this revision; absent: the present leader alone, if there is one. */
  readonly after?: number;
  /** The epoch that `after` is of; another one is a gap. */
  readonly epoch?: string;
  /** If there are none, wait for one: 0 to 25,000 ms. */
  readonly waitMs: number;
}

export interface ObserveReply extends ShardStamp {
  /** In order. After a gap: the present leader's `elected` or `proclaimed`, if there is one. */
  readonly events: readonly ElectionEvent[];
  /** Go on after this. */
  readonly to: number;
  /** Events between `after` and these are not kept any more. */
  readonly gap?: true;
}

/** The lock calls of one shard: see `ShardApi`. */
export interface LockShardApi {
  lock(request: LockRequest): Promise<LockReply | Refusal>;
  waitLock(request: LockWaitRequest): Promise<LockWaitReply | Refusal>;
  lockInfo(request: LockInfoRequest): Promise<LockInfoReply | Refusal>;
  listLocks(request: LockListRequest): Promise<LockListReply | Refusal>;
  observe(request: ObserveRequest): Promise<ObserveReply | Refusal>;
}
