import type { ElectionEvent, LockEnd, LockKind } from "../protocol/lock.ts";
import type { Payload } from "../protocol/payload.ts";

/** How a grant ended. */
export interface GrantEnd {
  readonly atMs: number;
  readonly reason: LockEnd;
  /** Forced: who did it, and the revision that it took: above the fences of all that it ended (rule LK12). */
  readonly by?: string;
  readonly fence?: number;
}

/** A grant, live or ended. Times are by the table's clock (see `LockTable`). */
export interface LockGrant {
  readonly name: string;
  /** The revision at which it was given: unique, and higher than every earlier one of the shard (rule LK2). */
  readonly fence: number;
  readonly owner: string;
  readonly kind: LockKind;
  /** Semaphore: how many there are, and how many of them it has. Else 1. */
  readonly permits: number;
  readonly take: number;
  readonly count: number;
  readonly ttlMs: number;
  /** Live until then, unless it ends before. */
  readonly deadlineMs: number;
  /** The ticket under which it was waited for; undefined: it was free. */
  readonly ticket: string | undefined;
  /** Offered, and not claimed yet. */
  readonly offered: boolean;
  readonly delayMs: number;
  readonly value: Payload | undefined;
  /** The session that it belongs to; `endsWithSession`: it ends with it. */
  readonly session: string | undefined;
  readonly endsWithSession: boolean;
  /** Undefined while it is live. */
  readonly ended: GrantEnd | undefined;
}

/** A place in a queue. It stays while its waiter is offered the lock, and goes when that is claimed. */
export interface LockWaiter {
  readonly name: string;
  readonly ticket: string;
  /** Order of arrival: a revision of its own. */
  readonly arrived: number;
  readonly owner: string;
  readonly kind: LockKind;
  readonly permits: number;
  readonly take: number;
  readonly ttlMs: number;
  readonly delayMs: number;
  readonly value: Payload | undefined;
  readonly session: string | undefined;
  readonly endsWithSession: boolean;
  /** It counts as live until then also where nobody waits for an answer now. */
  readonly liveUntilMs: number;
  /** The end of the whole wait. */
  readonly waitUntilMs: number;
  /** When the table has to look at it again: set by the table, asked by `due`. */
  readonly dueMs: number;
}

/** What the live grants of a name come to. All are of one family: readers or one writer, or permits of one semaphore, or one grant. */
export interface LockUsage {
  /** Of any of them. */
  readonly kind: LockKind;
  readonly permits: number;
  readonly grants: number;
  /** Sum of their `take`. */
  readonly taken: number;
  /** The highest of their fences. */
  readonly fence: number;
}

/** What has become due. */
export type LockDue =
  | { readonly what: "grant"; readonly fence: number; readonly name: string }
  | { readonly what: "waiter"; readonly ticket: string; readonly name: string }
  /** A name is open again. */
  | { readonly what: "delay"; readonly name: string };

/** From before when rows may be removed, by the time of their end or step. */
export interface LockAges {
  readonly endedBeforeMs: number;
  readonly forcedBeforeMs: number;
  readonly stepsBeforeMs: number;
}

/**
 * Where a lock table keeps its rows: maps in memory, or a shard's database. All calls of one command are one synchronous stretch, which the owner
 * of the store makes durable or undoes as a whole.
 */
export interface LockStore {
  /** Takes the next revision of the log for a grant, a place or a step of an election; it is never given again, whatever is removed. */
  reserve(): number;

  /** Undefined: the name has no live grant. */
  usage(name: string): LockUsage | undefined;
  /** The live grants of a name, by fence, the oldest first; at most `limit`. */
  live(name: string, limit: number): readonly LockGrant[];
  /** A grant by its fence, also an ended one as long as it is known. */
  grant(fence: number): LockGrant | undefined;
  /** The newest grant that was given under a ticket, also an ended one. */
  grantOf(ticket: string): LockGrant | undefined;
  /** Adds a grant or replaces the one of the same fence. */
  putGrant(grant: LockGrant): void;
  /** The last forced end of a name that is still known. */
  lastForced(name: string): LockGrant | undefined;
  /** Live grants in all. */
  readonly liveGrants: number;

  /** The waiters of a name that arrived after `after` (0: all), in order of arrival; at most `limit`. */
  queue(name: string, after: number, limit: number): readonly LockWaiter[];
  /** How many waiters a name has; with `before` only those that arrived before it. */
  countWaiters(name: string, before?: number): number;
  waiter(ticket: string): LockWaiter | undefined;
  /** Adds a waiter or replaces the one of the same ticket. */
  putWaiter(waiter: LockWaiter): void;
  removeWaiter(ticket: string): void;
  /** Waiters in all. */
  readonly waiters: number;

  /** Until when a name is closed; undefined: it is open. */
  delayOf(name: string): number | undefined;
  setDelay(name: string, untilMs: number | undefined): void;

  /** Live grants, and waiters, of a session. */
  ofSession(session: string): {
    readonly grants: readonly LockGrant[];
    readonly waiters: readonly LockWaiter[];
  };
  /** Sessions that live grants or waiters name. */
  sessions(): readonly string[];

  /**
   * What is due at `nowMs`, the earliest first; at most `limit`: live grants by their deadlines, waiters by their `dueMs`, delays by their ends. A
   * store may know a reason to wait longer for a grant, never to go earlier (rule LK6).
   */
  due(nowMs: number, limit: number): readonly LockDue[];
  /** When something is due next; undefined: nothing will be. */
  nextDueMs(): number | undefined;
  /** Puts off the deadlines of live grants, all times of waiters, and delays, by `byMs`. */
  putOff(byMs: number): void;
  /**
   * Removes ended grants, and steps of elections of names that have no live grant; at most `limit` rows. Answers whether there may be more. Fences don't come
   * back by it.
   */
  collect(ages: LockAges, limit: number): boolean;

  /** Names with live grants, waiters or a delay, after `after`, in order of their UTF-8 bytes. */
  names(prefix: string, after: string | undefined, limit: number): readonly string[];

  /** Adds a step of an election, and removes those beyond the newest {@link maxElectionEvents} of the name. */
  addEvent(name: string, event: ElectionEvent, atMs: number): void;
  /**
   * The steps of a name after a revision, in order. `floor`: a revision up to which steps of the name may have been removed, 0 for none; never below the
   * newest one that was.
   */
  events(name: string, after: number): { readonly events: readonly ElectionEvent[]; readonly floor: number };
}
