import type { LockCommand, LockVerdict } from "../protocol/lock.ts";
import { maxLiveGrants, maxLockWaiters, maxWaiters } from "../runtime/coordination-limits.ts";
import { fits, isSameFamily } from "./compatibility.ts";
import type { ElectionSteps } from "./election-steps.ts";
import type { Grants } from "./grants.ts";
import type { LockQueue } from "./lock-queue.ts";
import type { LockGrant, LockStore, LockWaiter } from "./lock-store.ts";
import { lockTicket, ticketEndMs } from "./ticket.ts";
import { ended, held, lockHeld, lost, noSuchTicket, notOwner, refused, waitOver } from "./verdicts.ts";

type Command<K extends LockCommand["kind"]> = Extract<LockCommand, { kind: K }>;

export interface LockCommandParts {
  readonly store: LockStore;
  readonly grants: Grants;
  readonly queue: LockQueue;
  readonly steps: ElectionSteps;
}

/** What each command does. All of them suppose that what was due has ended. */
export class LockCommands {
  readonly #store: LockStore;
  readonly #grants: Grants;
  readonly #queue: LockQueue;
  readonly #steps: ElectionSteps;

  constructor({ store, grants, queue, steps }: LockCommandParts) {
    this.#store = store;
    this.#grants = grants;
    this.#queue = queue;
    this.#steps = steps;
  }

  acquire(command: Command<"acquire">, nowMs: number, session: string | undefined): LockVerdict {
    const store = this.#store;
    const { name, owner, as: kind, ttlMs, permits = 1, take = 1, delayMs = 0, value, waitMs } = command;
    const wanted = { kind, permits, take };
    if (command.endsWithSession === true && session === undefined) {
      return refused("invalid_argument", "endsWithSession takes a call over a session", {
        field: "endsWithSession",
      });
    }
    const usage = store.usage(name);
    const standing = usage === undefined ? store.queue(name, 0, 1)[0] : { ...usage, take: 1 };
    if (standing !== undefined && !isSameFamily(standing, wanted)) return wrongKind(standing);
    const own = kind === "reentrant" && usage !== undefined ? store.live(name, 1)[0] : undefined;
    if (own !== undefined && own.owner === owner && !own.offered) {
      const longer = Math.max(own.ttlMs, ttlMs);
      return held(this.#grants.renew(own, longer, nowMs, session, own.count + 1), nowMs);
    }
    const closedUntilMs = store.delayOf(name);
    const free = closedUntilMs === undefined && fits(usage, wanted) && !this.#queue.isWaitedFor(name, nowMs);
    const endsWithSession = command.endsWithSession === true;
    const terms = { name, owner, ...wanted, ttlMs, delayMs, value, session, endsWithSession };
    if (free) {
      if (store.liveGrants >= maxLiveGrants) return tooMany("live grants", maxLiveGrants);
      return held(this.#grants.give({ ...terms, ticket: undefined }, nowMs), nowMs);
    }
    if (waitMs === undefined) {
      const closedForMs =
        closedUntilMs === undefined ? undefined : Math.max(1, Math.ceil(closedUntilMs - nowMs));
      return lockHeld(usage, store.countWaiters(name), closedForMs);
    }
    if (store.waiters >= maxWaiters) return tooMany("waiters", maxWaiters);
    if (store.countWaiters(name) >= maxLockWaiters) return tooMany("waiters of one name", maxLockWaiters);
    const arrived = store.reserve();
    const waitUntilMs = nowMs + waitMs;
    const ticket = lockTicket(arrived, waitUntilMs);
    this.#queue.add({ ...terms, ticket, arrived, waitUntilMs }, nowMs);
    return { outcome: "ok", state: "waiting", ticket, position: this.position(name, arrived) };
  }

  claim(command: Command<"claim">, nowMs: number, session: string | undefined): LockVerdict {
    const { name, ticket } = command;
    const found = this.#underTicket(command);
    if ("outcome" in found) return found;
    const { grant, waiter } = found;
    if (grant !== undefined && grant.ended === undefined) {
      // Claimed before, under another op id: the answer may have been lost, so its time begins anew.
      if (!grant.offered) return held(this.#grants.renew(grant, grant.ttlMs, nowMs, session), nowMs);
      const claimed = this.#grants.claim(grant, nowMs, session);
      if (waiter !== undefined) this.#queue.remove(ticket);
      return held(claimed, nowMs);
    }
    const usage = this.#store.usage(name);
    if (grant?.ended !== undefined) return lost(grant.ended, usage);
    if (waiter === undefined) return gone(this.#store, command, nowMs);
    const position = this.position(name, waiter.arrived);
    return refused("lock_waiting", "it is not the waiter's turn yet", { ticket, position });
  }

  cancel(command: Command<"cancel">, nowMs: number): LockVerdict {
    const { name, ticket } = command;
    const found = this.#underTicket(command);
    if ("outcome" in found) return found;
    const { grant, waiter } = found;
    if (waiter !== undefined) this.#queue.remove(ticket);
    if (grant !== undefined && grant.ended === undefined) return this.#letGo(grant, "cancelled", nowMs);
    if (waiter === undefined) {
      if (grant?.ended !== undefined) return lost(grant.ended, this.#store.usage(name));
      return noSuchTicket();
    }
    this.#queue.handOver(name, nowMs);
    return ended(0);
  }

  renew(command: Command<"renew">, nowMs: number, session: string | undefined): LockVerdict {
    return this.#ofOwner(command, (grant) =>
      held(this.#grants.renew(grant, command.ttlMs ?? grant.ttlMs, nowMs, session), nowMs),
    );
  }

  release(command: Command<"release">, nowMs: number): LockVerdict {
    return this.#ofOwner(command, (grant) => this.#letGo(grant, "released", nowMs));
  }

  confirm(command: Command<"confirm">, nowMs: number): LockVerdict {
    return this.#ofOwner(command, (grant) => held(grant, nowMs));
  }

  proclaim(command: Command<"proclaim">, nowMs: number): LockVerdict {
    return this.#ofOwner(command, (grant) => {
      if (grant.kind !== "election") return wrongKind(grant);
      const proclaimed = { ...grant, value: command.value };
      this.#store.putGrant(proclaimed);
      this.#steps.proclaimed(proclaimed, nowMs);
      return held(proclaimed, nowMs);
    });
  }

  force({ name, fence, by }: Command<"force">, nowMs: number): LockVerdict {
    const live = this.#store
      .live(name, maxLiveGrants)
      .filter((grant) => (fence ?? grant.fence) === grant.fence);
    if (live.length === 0) return ended(0);
    const forced = { by, fence: this.#store.reserve() };
    for (const grant of live) {
      this.#grants.end(grant, "forced", nowMs, forced);
      // Else the waiter whose offer was taken away would be offered it again at once.
      if (grant.offered && grant.ticket !== undefined) this.#queue.remove(grant.ticket);
    }
    this.#queue.handOver(name, nowMs);
    return ended(live.length);
  }

  position(name: string, arrived: number): number {
    return this.#store.countWaiters(name, arrived) + 1;
  }

  #letGo(grant: LockGrant, reason: "released" | "cancelled", nowMs: number): LockVerdict {
    if (grant.count > 1) {
      this.#store.putGrant({ ...grant, count: grant.count - 1 });
      return ended(grant.count - 1);
    }
    this.#grants.end(grant, reason, nowMs);
    this.#queue.handOver(grant.name, nowMs);
    return ended(0);
  }

  /** Does what is for the owner of a held grant alone (rule LK4). */
  #ofOwner(
    { name, owner, fence }: { readonly name: string; readonly owner: string; readonly fence: number },
    act: (grant: LockGrant) => LockVerdict,
  ): LockVerdict {
    const grant = this.#store.grant(fence);
    const usage = this.#store.usage(name);
    // Not known: never given, or forgotten. Either way nothing of the present is this owner's.
    if (grant === undefined || grant.name !== name) {
      return usage === undefined ? lost({ reason: "ended" }, usage) : notOwner(usage);
    }
    if (grant.owner !== owner) return notOwner(usage);
    if (grant.ended !== undefined) return lost(grant.ended, usage);
    if (!grant.offered) return act(grant);
    return refused("lock_waiting", "it was offered, and has to be claimed first", {
      ticket: grant.ticket ?? "",
      position: 1,
    });
  }

  /** What stands under a ticket of this name, or the refusal where it is another's. */
  #underTicket({
    name,
    owner,
    ticket,
  }: {
    readonly name: string;
    readonly owner: string;
    readonly ticket: string;
  }): { readonly grant: LockGrant | undefined; readonly waiter: LockWaiter | undefined } | LockVerdict {
    return underTicket(this.#store, { name, owner, ticket });
  }
}

/** A waiter's place as its caller names it. */
export interface LockPlace {
  readonly name: string;
  readonly owner: string;
  readonly ticket: string;
}

/** What stands under a ticket of this name, or the refusal where it is another's. */
export function underTicket(
  store: LockStore,
  { name, owner, ticket }: LockPlace,
): { readonly grant: LockGrant | undefined; readonly waiter: LockWaiter | undefined } | LockVerdict {
  const waiter = store.waiter(ticket);
  const grant = store.grantOf(ticket);
  const found = waiter ?? grant;
  if (found !== undefined && found.name !== name) return { grant: undefined, waiter: undefined };
  if (found !== undefined && found.owner !== owner) return notOwner(store.usage(name));
  return { grant, waiter };
}

/** The answer about a ticket that no row has. */
export function gone(store: LockStore, { name, ticket }: LockPlace, nowMs: number): LockVerdict {
  const endMs = ticketEndMs(ticket);
  if (endMs === undefined || nowMs < endMs) return noSuchTicket();
  return waitOver(store.usage(name), store.countWaiters(name));
}

function wrongKind({ kind, permits }: { readonly kind: string; readonly permits: number }): LockVerdict {
  const what = kind === "semaphore" ? `a semaphore of ${permits}` : kind;
  const details = kind === "semaphore" ? { kind, permits } : { kind };
  return refused("wrong_kind", `the name is held, or waited for, as ${what}`, details);
}

function tooMany(what: string, max: number): LockVerdict {
  return refused("overloaded", `there are ${max} ${what} already`, { max });
}
