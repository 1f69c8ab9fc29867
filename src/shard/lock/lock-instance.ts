import { WarpError } from "../../errors.ts";
import type { LockPlace } from "../../locking/lock-commands.ts";
import type { EndedHint } from "../../locking/lock-hints.ts";
import type { LockTable } from "../../locking/lock-table.ts";
import type { ShardStamp } from "../../protocol/call-scope.ts";
import type { LockWaitReply, ObserveReply, ObserveRequest } from "../../protocol/lock.ts";
import type { Clock } from "../../runtime/clock.ts";
import { refuse } from "../refusal.ts";
import { ElapsedDeadlines } from "./elapsed-deadlines.ts";
import { isNothing, observed } from "./observed.ts";
import { OpenCalls } from "./open-calls.ts";

/** The sessions of a shard, as locks see them; the hub has them. */
export interface LockSessions {
  /** Whether its socket is open. */
  isOpen(session: string): boolean;
  /** Tells it that a grant of its has ended, if it is still there. Must not throw. */
  tell(session: string, ended: EndedHint): void;
}

/** What of a ledger it needs. */
export interface LockLedger {
  readonly locks: LockTable;
  stamp(): ShardStamp;
}

/** No sockets are open. */
const nobody: LockSessions = { isOpen: () => false, tell: () => {} };

/**
 * What one instance of a shard has in memory about locks: who waits for an answer, what is to be said once it is durable, and what the instance before has left
 * to do. It outlives the ledger, which is opened anew whenever something was undone.
 *
 * A transaction is opened by {@link enter}, closed by {@link leave}, and told of its fate by {@link committed} or {@link undone}.
 */
export class LockInstance {
  readonly deadlines: ElapsedDeadlines;
  /** When old steps of elections were last looked for. */
  readonly swept: { atMs: number };
  /** Waiters in queues, by their tickets. */
  readonly polls = new OpenCalls<LockPlace, LockWaitReply>();
  /** Observers of elections, by their names. */
  readonly observers = new OpenCalls<ObserveRequest, ObserveReply>();
  #sessions: LockSessions = nobody;
  /** Whether rows of the instance before have been put off. */
  #isRebuilt = false;
  #rebuilds = false;
  /** Sessions that may have grants or waiters, and those of them that have ended without the table knowing. */
  readonly #known = new Set<string>();
  readonly #ended = new Set<string>();
  #leaving: string[] = [];
  /** What the transaction under way will have to say, and what commits that are not yet durable have. */
  #said: (() => void)[] = [];
  #unsaid: (() => void)[] = [];

  constructor(clock: Clock, elapsed: Clock) {
    this.deadlines = new ElapsedDeadlines(clock, elapsed);
    this.swept = { atMs: clock.now() };
  }

  serve(sessions: LockSessions): void {
    this.#sessions = sessions;
  }

  /** The first of each transaction: what the instance before has left, sessions that have ended, and what is due (rule LK6). */
  enter({ locks }: LockLedger, nowMs: number): void {
    // Whoever holds nothing and waits for nothing has nothing due.
    if (!this.#isRebuilt && !this.#rebuilds) {
      this.#rebuilds = true;
      if (locks.nextDueMs() !== undefined) locks.rebuilt((session) => this.uses(session), nowMs);
    }
    if (this.#ended.size > 0) {
      this.#leaving.push(...this.#ended);
      locks.left([...this.#ended], nowMs);
    }
    locks.expire(nowMs);
  }

  /** The last of each transaction, and of each ledger: finds the answers of those who wait. Its hints are gone with it. */
  leave(ledger: LockLedger, nowMs: number): void {
    const { tickets, elections, ended } = ledger.locks.takeHints();
    for (const poll of [...tickets].flatMap((ticket) => this.polls.of(ticket))) {
      const verdict = ledger.locks.settled(poll.request, nowMs);
      if (verdict === undefined) continue;
      const reply = { ...ledger.stamp(), verdict };
      this.#said.push(() => poll.end(reply));
    }
    for (const observer of [...elections].flatMap((name) => this.observers.of(name))) {
      const reply = observed(ledger, observer.request);
      if (!isNothing(reply)) this.#said.push(() => observer.end(reply));
    }
    for (const one of ended) {
      const { session } = one;
      if (session !== undefined) this.#said.push(() => this.#sessions.tell(session, one));
    }
  }

  committed(): void {
    this.deadlines.committed();
    this.#isRebuilt ||= this.#rebuilds;
    for (const session of this.#leaving) {
      this.#ended.delete(session);
      this.#known.delete(session);
    }
    this.#leaving = [];
    this.#unsaid.push(...this.#said);
    this.#said = [];
  }

  undone(): void {
    this.deadlines.undone();
    this.#rebuilds = false;
    this.#leaving = [];
    this.#said = [];
  }

  /** Waits until what was committed is durable, and only then says it (rule LK3). */
  async saying(durable: () => Promise<void>): Promise<void> {
    const unsaid = this.#unsaid;
    this.#unsaid = [];
    try {
      await durable();
    } catch (error) {
      this.lookAgain();
      throw error;
    }
    for (const say of unsaid) say();
  }

  /** Notes that a session may have grants or waiters from now on; false: its socket has ended. */
  uses(session: string): boolean {
    if (!this.#sessions.isOpen(session)) return false;
    this.#known.add(session);
    return true;
  }

  /** A session's socket has ended. Gives whether the table is to hear of it, in the next transaction. */
  left(session: string): boolean {
    const gone = refuse(new WarpError("session_ended", "the session has ended"));
    for (const poll of this.polls.all()) if (poll.session === session) poll.end(gone);
    if (this.#isRebuilt && !this.#known.has(session)) return false;
    this.#ended.add(session);
    return true;
  }

  /** Whoever waits looks again: the database is gone, or what was said of it may not be true. */
  lookAgain(): void {
    for (const call of [...this.polls.all(), ...this.observers.all()]) call.end(undefined);
  }

  /** The database is gone. */
  wiped(): void {
    this.deadlines.clear();
    this.lookAgain();
  }
}
