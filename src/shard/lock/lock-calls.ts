import { WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import type {
  LockCommand,
  LockReply,
  LockRequest,
  LockVerdict,
  LockWaitReply,
  LockWaitRequest,
} from "../../protocol/lock.ts";
import { checkLockCount, checkLockPlace } from "../../protocol/lock-rules.ts";
import { type CallScope, isRefusal, type Refusal } from "../../protocol/shard-api.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Admission } from "../admission.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Ledger } from "../ledger.ts";
import { refusing } from "../refusal.ts";
import type { Residence } from "../residence.ts";
import type { Authority } from "../strong/authority.ts";
import { carryOut, claims } from "./lock-commits.ts";
import type { LockInstance } from "./lock-instance.ts";
import { endOf, type OpenCall } from "./open-calls.ts";

/** What calls about locks are made of. */
export interface LockCallParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly admission: Admission;
  readonly authority: Authority;
  readonly instance: LockInstance;
}

/** The calls that change locks, and the wait in a queue. Every answer is the end of a commit (rule LK3). */
export class LockCalls {
  readonly #parts: LockCallParts;

  constructor(parts: LockCallParts) {
    this.#parts = parts;
  }

  /** `session`: the one that asks, for calls over a socket only. */
  async lock(request: LockRequest, session?: string): Promise<LockReply | Refusal> {
    const { commands } = request;
    const { commit, clock } = this.#parts;
    const refused = await this.#refused(request, () => checkLockCount(commands.length));
    if (refused !== undefined) return refused;
    return await commit.submit(() => {
      const ledger = this.#admit(request, commands);
      if (isRefusal(ledger)) return ledger;
      const nowMs = clock.now();
      const isOpen = session !== undefined && this.#parts.instance.uses(session);
      const carried = commands.map((command) =>
        // Its end would never come: it has been.
        session !== undefined && !isOpen && dependsOnSession(command)
          ? { verdict: sessionEnded(), isKept: false }
          : carryOut(ledger, command, nowMs, isOpen ? session : undefined),
      );
      const verdicts = carried.map(({ verdict }) => verdict);
      if (!carried.some(({ isKept }) => isKept) && verdicts.some(claims)) this.#prove(ledger);
      return { ...ledger.stamp(), verdicts };
    }, commands.length);
  }

  /** `session` as for {@link lock}. */
  async waitLock(request: LockWaitRequest, session?: string): Promise<LockWaitReply | Refusal> {
    const { name, owner, ticket, waitMs } = request;
    const { clock, commit, instance, timers } = this.#parts;
    const refused = await this.#refused(request, () => checkLockPlace(request));
    if (refused !== undefined) return refused;
    const place = { name, owner, ticket };
    const waiting: { poll?: OpenCall<unknown, LockWaitReply> } = {};
    const look = (keepMs: number | undefined) =>
      commit.submit(() => {
        const ledger = this.#admit(request, [request]);
        if (isRefusal(ledger)) return ledger;
        const nowMs = clock.now();
        const of = session !== undefined && instance.uses(session) ? session : undefined;
        const verdict =
          keepMs === undefined
            ? ledger.locks.standing(place, nowMs)
            : ledger.locks.poll(place, keepMs, nowMs, of);
        if (claims(verdict)) this.#prove(ledger);
        // In this very stretch, so that no hand-over can lie between. It may run again, if another's trouble undid it.
        waiting.poll?.end(undefined);
        if (isWaiting(verdict) && keepMs !== undefined && keepMs > 0) {
          waiting.poll = instance.polls.open(ticket, place, of);
        }
        return { ...ledger.stamp(), verdict };
      });
    try {
      const first = await look(waitMs);
      const { poll } = waiting;
      if (poll === undefined || isRefusal(first) || !isWaiting(first.verdict)) return first;
      // When the time is over, how it stands is the answer of a commit, too.
      return (await endOf(poll, timers, waitMs)) ?? (await look(undefined));
    } finally {
      waiting.poll?.end(undefined);
    }
  }

  /** A session's socket has ended. */
  left(session: string): void {
    const { commit, instance } = this.#parts;
    // Each transaction begins with those that have gone; where this one fails, the next does it.
    if (instance.left(session)) commit.submit(() => undefined).catch(() => undefined);
  }

  /** Why a call can't be carried out, as far as that can be told before its commit. */
  async #refused(request: CallScope, check: () => void): Promise<Refusal | undefined> {
    const wrong = refusing(() => {
      check();
      return undefined;
    });
    if (wrong !== undefined) return wrong;
    const admitted = await this.#parts.admission.admit(request, "write");
    return admitted !== undefined && isRefusal(admitted) ? admitted : undefined;
  }

  /** The ledger, inside a commit. Whoever names locks of another shard has another picture of the space: their fences would not be in one order. */
  #admit(request: CallScope, named: readonly { readonly name: string }[]): Ledger | Refusal {
    const ledger = this.#parts.residence.admit(request);
    if (isRefusal(ledger)) return ledger;
    const { shards } = ledger.space;
    const isHere = named.every(({ name }) => shardOf(name, shards) === request.shard);
    return refusing(() => {
      if (isHere) return ledger;
      throw new WarpError("cross_shard", "a lock of this name lies in another shard");
    });
  }

  /** An answer that claims ownership proves by a write that this instance is still the authority (rule LK3). */
  #prove({ meta }: Ledger): void {
    meta.barrierMs = this.#parts.clock.now();
    this.#parts.authority.mark();
  }
}

function isWaiting(verdict: LockVerdict): boolean {
  return verdict.outcome === "ok" && verdict.state === "waiting";
}

function dependsOnSession(command: LockCommand): boolean {
  return command.kind === "acquire" && command.endsWithSession === true;
}

function sessionEnded(): LockVerdict {
  const error = new WarpError("session_ended", "the session has ended before its lock could be acquired");
  return { outcome: "fail", error: error.toData() };
}
