import type { SessionBounds } from "../../protocol/config.ts";
import { type Caller, isWatcher } from "../../protocol/wire/caller.ts";
import type { Clock } from "../../runtime/clock.ts";
import {
  maxFrameBytes,
  maxPendingFrameBytes,
  maxWatcherFrameBytes,
  messageBurstMs,
} from "../../runtime/limits.ts";
import type { Session } from "./session.ts";

/** Whether the bounds are for this caller. */
export function isBounded(caller: Caller): boolean {
  return caller.isPending === true || (isWatcher(caller) && !caller.isAdmin);
}

/** The largest frame of a caller. A few MiB of small parts take hundreds in memory: what nobody answers for must be small. */
export function maxFrameOf(caller: Caller): number {
  if (caller.isPending === true) return maxPendingFrameBytes;
  return isBounded(caller) ? maxWatcherFrameBytes : maxFrameBytes;
}

/** Holds sessions to their bounds. */
export class SessionLimits {
  readonly #bounds: SessionBounds;
  readonly #elapsed: Clock;

  constructor(bounds: SessionBounds, elapsed: Clock) {
    this.#bounds = bounds;
    this.#elapsed = elapsed;
  }

  /** Why there is no room for another of `caller` beside these; undefined: there is. */
  fullness(sessions: Iterable<Session>, caller: Caller): string | undefined {
    if (caller.isPending === true || !isBounded(caller)) return undefined;
    const { socketsPerSubject } = this.#bounds;
    let count = 0;
    for (const session of sessions) {
      if (session.caller.subject === caller.subject && isBounded(session.caller)) count++;
    }
    return count < socketsPerSubject ? undefined : `the subject has ${socketsPerSubject} sockets here`;
  }

  /** Counts a message; false: so many more came than may that the session is to end. */
  heard(session: Session): boolean {
    if (!isBounded(session.caller)) return true;
    const nowMs = this.#elapsed.now();
    session.paceMs = Math.max(session.paceMs, nowMs) + this.#costMs;
    session.aheadMs = Math.max(0, session.paceMs - nowMs - messageBurstMs);
    return session.aheadMs <= messageBurstMs;
  }

  /** The message was asked for: it does not count. Who takes in much has many marks to answer. */
  asked(session: Session): void {
    session.paceMs -= this.#costMs;
  }

  get #costMs(): number {
    return 1_000 / this.#bounds.messagesPerSecond;
  }
}
