import type { ElectionEvent, LockEnd, LockKind } from "../protocol/lock.ts";
import type { Payload } from "../protocol/payload.ts";

/** A grant, live or ended. Times are by the table's clock (see `LockTable`). */
export interface LockGrant {
  readonly name: string;
  /** The revision at which it was given: unique, and higher than every earlier one of the shard (rule LK2). */
  readonly fence: number;
  readonly owner: string;
  readonly kind: LockKind;
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
  readonly ended: { readonly atMs: number; readonly reason: LockEnd; readonly by?: string } | undefined;
}

/** A place in a queue. */
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
}

/** What has become due. */
export type LockDue =
  | { readonly what: "grant"; readonly fence: number; readonly name: string }
  /** Its whole wait is over, or it was silent for so long that its place is given up. */
  | { readonly what: "waiter"; readonly ticket: string; readonly name: string }
  /** A name is open again. */
  | { readonly what: "delay"; readonly name: string };

/**
 * Where a lock table keeps its rows: maps in memory, or a shard's database. All calls of one command are one synchronous stretch, which the owner
 * of the store makes durable or undoes as a whole.
 */
export interface LockStore {
  /** Takes the next revision of the log for a grant, a place or a step of an election; it is never given again, whatever is removed. */
  reserve(): number;

  /** The live grants of a name, by fence. */
  live(name: string): readonly LockGrant[];
  /** A grant by its fence, also an ended one as long as it is known. */
  grant(fence: number): LockGrant | undefined;
  /** The newest grant that was given under a ticket. */
  grantOf(ticket: string): LockGrant | undefined;
  /** Adds a grant or replaces the one of the same fence. */
  putGrant(grant: LockGrant): void;
  /** The last forced end of a name that is still known. */
  lastForced(name: string): LockGrant | undefined;
  /** Live grants in all. */
  readonly liveGrants: number;

  /** The waiters of a name, in order of arrival. */
  queue(name: string): readonly LockWaiter[];
  waiter(ticket: string): LockWaiter | undefined;
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

  /** What is due at `nowMs`, the earliest first; at most `limit`. */
  due(nowMs: number, limit: number): readonly LockDue[];
  /** When something is due next; undefined: nothing will be. */
  nextDueMs(): number | undefined;
  /** Puts off the deadlines of live grants, waiters and delays by `byMs`. */
  putOff(byMs: number): void;
  /** Removes ended grants from before `beforeMs`, and forced ones from before `forcedBeforeMs`; at most `limit`. Fences don't come back by it. */
  collect(beforeMs: number, forcedBeforeMs: number, limit: number): void;

  /** Names in use after `after`, in order of their UTF-8 bytes. */
  names(prefix: string, after: string | undefined, limit: number): readonly string[];

  /** Adds a step of an election, and removes those beyond the newest {@link maxElectionEvents} of the name. */
  addEvent(name: string, event: ElectionEvent): void;
  /** The steps of a name after a revision, in order; `floor`: the revision of the newest step that was removed, 0 for none. */
  events(name: string, after: number): { readonly events: readonly ElectionEvent[]; readonly floor: number };
}
