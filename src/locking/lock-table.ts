import type { LockCommand, LockInfo, LockVerdict } from "../protocol/lock.ts";
import { clockStepMs, electionStepMs, endedGrantMs, forcedGrantMs } from "../runtime/coordination-limits.ts";
import { housekeepingChunk } from "../runtime/limits.ts";
import { ElectionSteps, type ObservedSteps } from "./election-steps.ts";
import { Grants } from "./grants.ts";
import { gone, LockCommands, type LockPlace, underTicket } from "./lock-commands.ts";
import { HintLedger, type LockHints } from "./lock-hints.ts";
import { lockInfo } from "./lock-info.ts";
import { LockQueue } from "./lock-queue.ts";
import type { LockStore } from "./lock-store.ts";
import { held, lost, offered } from "./verdicts.ts";

export interface LockTableParts {
  readonly store: LockStore;
  /** Whether somebody waits for an answer about this ticket right now. Who stops to wait, as when a session ends, is to be forgotten before {@link LockTable.left}. */
  readonly isAwaited: (ticket: string) => boolean;
}

/**
 * Locks and elections of one shard, or of one process: who holds what, and who is next. Pure logic over a {@link LockStore}; `docs/design/locks.md` tells why it
 * keeps its promises. Times are Unix milliseconds of the authority. A grant is live until {@link expire} ends it, which its owner calls first in each
 * stretch, so that alarms only wake (rule LK6).
 *
 * Refusals are verdicts. Nothing here remembers op ids, and nothing is durable before the owner of the store says so (rule LK3).
 */
export class LockTable {
  readonly #store: LockStore;
  readonly #hints = new HintLedger();
  readonly #steps: ElectionSteps;
  readonly #grants: Grants;
  readonly #queue: LockQueue;
  readonly #commands: LockCommands;

  constructor({ store, isAwaited }: LockTableParts) {
    const hints = this.#hints;
    const steps = new ElectionSteps(store, hints);
    const grants = new Grants(store, steps, hints);
    const queue = new LockQueue({ store, grants, hints, isAwaited });
    this.#store = store;
    this.#steps = steps;
    this.#grants = grants;
    this.#queue = queue;
    this.#commands = new LockCommands({ store, grants, queue, steps });
  }

  /** Ends what is due, at most 1,000 things, and hands over what came free. Answers whether more may be due. */
  expire(nowMs: number): boolean {
    const due = this.#store.due(nowMs, housekeepingChunk);
    const freed = new Set<string>();
    for (const one of due) {
      freed.add(one.name);
      if (one.what === "delay") this.#open(one.name, nowMs);
      else if (one.what === "grant") this.#expireGrant(one.fence, nowMs);
      else {
        const place = this.#store.waiter(one.ticket);
        if (place !== undefined) this.#queue.due(place, nowMs);
      }
    }
    // Only after all ends: what is handed over must not be due itself.
    for (const name of freed) this.#queue.handOver(name, nowMs);
    return due.length === housekeepingChunk;
  }

  /** Carries out one command, well-formed by `checkLockCommand`, for a caller of a session, or of none. */
  run(command: LockCommand, nowMs: number, session?: string): LockVerdict {
    const commands = this.#commands;
    switch (command.kind) {
      case "acquire":
        return commands.acquire(command, nowMs, session);
      case "claim":
        return commands.claim(command, nowMs, session);
      case "renew":
        return commands.renew(command, nowMs, session);
      case "cancel":
        return commands.cancel(command, nowMs);
      case "release":
        return commands.release(command, nowMs);
      case "confirm":
        return commands.confirm(command, nowMs);
      case "proclaim":
        return commands.proclaim(command, nowMs);
      case "force":
        return commands.force(command, nowMs);
    }
  }

  /**
   * How a place stands. Keeps it alive for `waitMs` and the grace time, so that it may be offered the lock at once: where it was silent and stands first, this very
   * call answers `offered`.
   */
  poll(place: LockPlace, waitMs: number, nowMs: number, session?: string): LockVerdict {
    const settled = this.settled(place, nowMs);
    if (settled !== undefined) return settled;
    const waiter = this.#store.waiter(place.ticket);
    if (waiter !== undefined) {
      this.#queue.refresh(waiter, waitMs, nowMs, session);
      this.#queue.handOver(waiter.name, nowMs);
    }
    return this.standing(place, nowMs);
  }

  /** How a place stands, without keeping it alive. */
  standing(place: LockPlace, nowMs: number): LockVerdict {
    const settled = this.settled(place, nowMs);
    if (settled !== undefined) return settled;
    const arrived = this.#store.waiter(place.ticket)?.arrived ?? 0;
    const position = this.#commands.position(place.name, arrived);
    return { outcome: "ok", state: "waiting", ticket: place.ticket, position };
  }

  /** As {@link standing}, but undefined for one who still waits: two looks into the store, for those who wait and heard a hint. */
  settled(place: LockPlace, nowMs: number): LockVerdict | undefined {
    const found = underTicket(this.#store, place);
    if ("outcome" in found) return found;
    const { grant, waiter } = found;
    if (grant !== undefined && grant.ended === undefined) {
      return grant.offered ? offered(grant, place.ticket, nowMs) : held(grant, nowMs);
    }
    if (waiter !== undefined) return undefined;
    if (grant?.ended !== undefined) return lost(grant.ended, this.#store.usage(place.name));
    return gone(this.#store, place, nowMs);
  }

  /**
   * Sessions have ended: what is tied to them ends, and their waiters are passed over until they are heard of again. Those that ended together are to be told
   * together: what one of them frees is not for a waiter of another (rule LK9).
   */
  left(sessions: readonly string[], nowMs: number): void {
    const freed = new Set<string>();
    for (const { grants, waiters } of sessions.map((session) => this.#store.ofSession(session))) {
      for (const grant of grants) {
        if (!grant.endsWithSession) continue;
        this.#grants.end(grant, "session", nowMs);
        freed.add(grant.name);
      }
      for (const place of waiters) {
        this.#queue.silence(place, nowMs);
        freed.add(place.name);
      }
    }
    for (const name of freed) this.#queue.handOver(name, nowMs);
  }

  /**
   * To be called once, first, by each instance that finds rows of an earlier one: clocks of two hosts may differ, so everything is put off by as much as they may
   * (rule LK7), and sessions that did not outlive the change have ended.
   */
  rebuilt(isOpen: (session: string) => boolean, nowMs: number): void {
    this.#store.putOff(clockStepMs);
    const gone = this.#store.sessions().filter((session) => !isOpen(session));
    this.left(gone, nowMs);
  }

  /** Whether a grant of this fence is live, and not merely offered (rule LK14). */
  isHeld(name: string, fence: number): boolean {
    const grant = this.#store.grant(fence);
    return grant !== undefined && grant.name === name && grant.ended === undefined && !grant.offered;
  }

  /** What is left of a grant's time; 0 where it has ended. */
  remainingMs(name: string, fence: number, nowMs: number): number {
    if (!this.isHeld(name, fence)) return 0;
    const deadlineMs = this.#store.grant(fence)?.deadlineMs ?? nowMs;
    return Math.max(0, Math.floor(deadlineMs - nowMs));
  }

  info(name: string, nowMs: number): LockInfo {
    return lockInfo(this.#store, name, nowMs);
  }

  /** Names in use that begin with `prefix`, after `after`, in order of their UTF-8 bytes. */
  list(
    prefix: string,
    after: string | undefined,
    limit: number,
    nowMs: number,
  ): { readonly locks: readonly LockInfo[]; readonly more: boolean } {
    const names = this.#store.names(prefix, after, limit + 1);
    const locks = names.slice(0, limit).map((name) => lockInfo(this.#store, name, nowMs, true));
    return { locks, more: names.length > limit };
  }

  /** The steps of an election after a revision, or the present leader alone (rule LK15). */
  steps(name: string, after: number | undefined): ObservedSteps {
    return this.#steps.after(name, after);
  }

  /** When {@link expire} has something to do next; undefined: as things stand, never. */
  nextDueMs(): number | undefined {
    return this.#store.nextDueMs();
  }

  /** Removes rows of what ended long ago, at most 1,000. Answers whether there may be more. */
  collect(nowMs: number): boolean {
    const ages = {
      endedBeforeMs: nowMs - endedGrantMs,
      forcedBeforeMs: nowMs - forcedGrantMs,
      stepsBeforeMs: nowMs - electionStepMs,
    };
    return this.#store.collect(ages, housekeepingChunk);
  }

  /** What may have become different since the last call: where to look for those who wait. */
  takeHints(): LockHints {
    return this.#hints.take();
  }

  #open(name: string, nowMs: number): void {
    // A grant that expired in this very stretch may have closed it anew.
    if ((this.#store.delayOf(name) ?? 0) <= nowMs) this.#store.setDelay(name, undefined);
  }

  #expireGrant(fence: number, nowMs: number): void {
    const grant = this.#store.grant(fence);
    if (grant === undefined || grant.ended !== undefined) return;
    this.#grants.end(grant, grant.offered ? "unclaimed" : "expired", nowMs);
    if (!grant.offered || grant.ticket === undefined) return;
    const place = this.#store.waiter(grant.ticket);
    if (place !== undefined) this.#queue.silence(place, nowMs);
  }
}
