import type { LockEnd } from "../protocol/lock.ts";
import { lockClaimMs } from "../runtime/coordination-limits.ts";
import type { ElectionSteps } from "./election-steps.ts";
import type { HintLedger } from "./lock-hints.ts";
import type { LockGrant, LockStore, LockWaiter } from "./lock-store.ts";

/** What a grant is made of. */
export type GrantTerms = Omit<LockGrant, "fence" | "count" | "deadlineMs" | "offered" | "ended">;

/** Gives grants, changes and ends them. It asks nobody: what may be granted is for the callers to know. */
export class Grants {
  readonly #store: LockStore;
  readonly #steps: ElectionSteps;
  readonly #hints: HintLedger;

  constructor(store: LockStore, steps: ElectionSteps, hints: HintLedger) {
    this.#store = store;
    this.#steps = steps;
    this.#hints = hints;
  }

  give(terms: GrantTerms, nowMs: number): LockGrant {
    const fence = this.#store.reserve();
    const grant = {
      ...terms,
      fence,
      count: 1,
      deadlineMs: nowMs + terms.ttlMs,
      offered: false,
      ended: undefined,
    };
    this.#store.putGrant(grant);
    this.#steps.elected(grant, nowMs);
    return grant;
  }

  /** To a waiter, who has to claim it: from now on it keeps others out like any grant. */
  offer(waiter: LockWaiter, nowMs: number): void {
    const { arrived: _, liveUntilMs: __, waitUntilMs: ___, dueMs: ____, ...terms } = waiter;
    const fence = this.#store.reserve();
    const deadlineMs = nowMs + lockClaimMs;
    this.#store.putGrant({ ...terms, fence, count: 1, deadlineMs, offered: true, ended: undefined });
    this.#hints.settled(waiter.ticket);
  }

  /** Makes an offer a held grant, whose time begins now. */
  claim(grant: LockGrant, nowMs: number, session: string | undefined): LockGrant {
    const claimed = {
      ...grant,
      offered: false,
      deadlineMs: nowMs + grant.ttlMs,
      session: session ?? grant.session,
    };
    this.#store.putGrant(claimed);
    this.#steps.elected(claimed, nowMs);
    return claimed;
  }

  /** Begins its time anew. A deadline is never brought forward: a holder may count on what it was told, also when this answer never reaches it (rule LK7). */
  renew(
    grant: LockGrant,
    ttlMs: number,
    nowMs: number,
    session: string | undefined,
    count?: number,
  ): LockGrant {
    const renewed = {
      ...grant,
      ttlMs,
      deadlineMs: Math.max(grant.deadlineMs, nowMs + ttlMs),
      count: count ?? grant.count,
      session: session ?? grant.session,
    };
    this.#store.putGrant(renewed);
    return renewed;
  }

  /** Ends a grant for good (rule LK5). What came free by it is not handed over yet. */
  end(
    grant: LockGrant,
    reason: LockEnd,
    nowMs: number,
    forced?: { readonly by: string; readonly fence: number },
  ): void {
    this.#store.putGrant({
      ...grant,
      value: undefined,
      ended: { atMs: nowMs, reason, ...forced },
    });
    const byOwner = reason === "released" || reason === "cancelled";
    if (!byOwner) this.#hints.ended(grant, reason);
    if (grant.offered) return;
    this.#steps.ended(grant, reason, nowMs);
    if (byOwner || grant.delayMs === 0) return;
    const untilMs = nowMs + grant.delayMs;
    this.#store.setDelay(grant.name, Math.max(untilMs, this.#store.delayOf(grant.name) ?? untilMs));
  }
}
