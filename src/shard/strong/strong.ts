import { WarpError } from "../../errors.ts";
import { opIdTime } from "../../protocol/mutation.ts";
import type { Refusal } from "../../protocol/shard-api.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { maxStrongWaiting, opIdWindowMs } from "../../runtime/limits.ts";
import type { DueSource } from "../alarms.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Ledger } from "../ledger.ts";
import type { LeaseGrants, Members } from "../members.ts";
import { refuse } from "../refusal.ts";
import type { Residence } from "../residence.ts";
import type { Authority } from "./authority.ts";
import { Claims } from "./claims.ts";
import { Guard } from "./guard.ts";
import { Holders } from "./holders.ts";
import { Leases } from "./leases.ts";
import type { Operation, Touch } from "./operation.ts";
import { quorumFor } from "./quorum.ts";
import { Round } from "./round.ts";
import { Standing } from "./standing.ts";
import { type StrongRequest, StrongWrite, type StrongWriteParts } from "./strong-write.ts";

/** What {@link Strong} works on. */
export interface StrongOptions {
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly elapsed: Clock;
  readonly timers: Timers;
}

/** Nobody listens to the shard. */
const nobody: Members = { all: () => [], get: () => undefined, send: () => undefined, listen: () => {} };

/** The strong side of one shard instance: who may hold what, which writes wait for whom, and what was left by the instance before. */
export class Strong {
  readonly #options: StrongOptions;
  readonly #holders = new Holders();
  readonly #claims = new Claims();
  readonly #standing: Standing;
  readonly #parts: StrongWriteParts;
  #members: Members = nobody;
  #leases: Leases;
  #guard: Guard | undefined;
  #rebuild: "due" | Promise<void> | undefined;
  #writes = 0;

  constructor(options: StrongOptions) {
    this.#options = options;
    const { residence, commit, authority, clock, elapsed, timers } = options;
    const ledger = residence.open();
    const noted = ledger?.meta.held ?? {};
    this.#standing = new Standing(
      { residence, commit, authority, clock, isQuiet: () => this.#isQuiet() },
      noted,
    );
    this.#leases = this.#newLeases(nobody);
    // The instance before may live on unseen: from now on it can't commit, and its time is counted.
    if (Object.keys(noted).length > 0) this.#guard = new Guard(noted, elapsed, timers);
    if (ledger !== undefined && ledger.intents.all().length > 0) this.#rebuild = "due";
    this.#parts = {
      residence,
      commit,
      clock,
      holders: this.#holders,
      claims: this.#claims,
      leases: () => this.#leases,
      guard: () => this.#guard,
      members: () => this.#members.all(),
      round: (wants) => new Round(wants, elapsed, timers),
      orphans: new Set(),
    };
  }

  /** Begins to work with these members. */
  serve(members: Members): LeaseGrants {
    this.#members = members;
    this.#leases = this.#newLeases(members);
    return this.#leases;
  }

  /** For the shard's alarm: removes notes that nobody needs. */
  get due(): DueSource {
    return this.#standing;
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** What must be done before any call is answered, if there is something: writes that were under way when the instance before ended have failed. */
  ready(): Promise<void> | undefined {
    if (this.#rebuild !== "due") return this.#rebuild;
    this.#rebuild = this.#options.commit
      .submit(() => this.#abortAll())
      .then(
        () => {
          this.#rebuild = undefined;
        },
        (error: unknown) => {
          this.#rebuild = "due";
          throw error;
        },
      );
    return this.#rebuild;
  }

  /** Whether `operations` must be carried out as a strong write. To be asked in the stretch that would carry them out. */
  concerns<V>(ledger: Ledger, operations: readonly Operation<V>[]): boolean {
    if (this.#guard?.isOver) this.#guard = undefined;
    const { wantsQuorum } = ledger.registrations;
    if (this.#holders.isEmpty && this.#claims.isEmpty && this.#guard === undefined && !wantsQuorum) {
      return false;
    }
    return operations.some((operation) => {
      const { opId, claims, reach } = operation;
      return (
        this.#claims.has(opId) ||
        claims.some((key) => this.#claims.has(key)) ||
        this.#guard?.stops(reach) ||
        this.#isHeld(reach) ||
        quorumFor(operation, ledger.registrations, reach.keys) !== undefined
      );
    });
  }

  /** Begins a strong write; a refusal where too many wait. */
  begin<V, R extends object>(request: StrongRequest<V, R>): { readonly done: Promise<R | Refusal> } {
    if (this.#writes >= maxStrongWaiting) {
      const error = new WarpError("overloaded", "too many strong writes of this shard wait", {
        retryAfterMs: 100,
        details: { max: maxStrongWaiting },
      });
      return { done: Promise.resolve(refuse(error)) };
    }
    this.#writes++;
    const write = new StrongWrite(this.#parts, request);
    const ended = (): void => {
      this.#writes--;
    };
    write.done.then(ended, ended);
    return write;
  }

  /** Whether the operation is part of a strong write that is under way or waits. */
  isPending(opId: string): boolean {
    return this.#claims.has(opId);
  }

  /** The node behind a session; undefined: a caller without one. */
  nodeOf(session: string | undefined): string | undefined {
    return session === undefined ? undefined : this.#members.get(session)?.node;
  }

  /** Whether this session has a node lease now. */
  mayHold(session: string): boolean {
    return this.#leases.leaseUntilMs(session) > this.#options.elapsed.now();
  }

  /** Notes that `session` may hold a key that it is given now; false: it may not. */
  permit(session: string, key: string, pattern: string, tags: readonly string[] | undefined): boolean {
    return !this.#claims.has(key) && this.#leases.permit(session, key, pattern, tags);
  }

  /** Runs `work` when nobody serves anything that this shard ever gave, and lets nobody hold anything until it has ended. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    const { residence, elapsed, timers } = this.#options;
    const { wipes } = residence;
    const leases = this.#leases;
    leases.closed++;
    try {
      await this.#guard?.ends();
      const revision = leases.isAnyHolder ? await this.#mark() : undefined;
      if (revision !== undefined) {
        const invalidation = { revision, keys: [], prefixes: [""], tags: [] };
        const called = leases.callAll(invalidation);
        await leases.follow(new Round({ called, quorums: [] }, elapsed, timers), called);
      }
      return await work();
    } finally {
      leases.closed--;
      if (residence.wipes !== wipes) this.#standing.forget();
    }
  }

  #newLeases(members: Members): Leases {
    const { elapsed } = this.#options;
    return new Leases(
      { holders: this.#holders, standing: this.#standing, elapsed, mark: () => this.#mark() },
      members,
    );
  }

  #isHeld({ keys, prefixes, tags }: Touch): boolean {
    const isAny = (found: Iterable<string>): boolean => !found[Symbol.iterator]().next().done;
    return (
      keys.some((key) => this.#holders.has(key)) ||
      prefixes.some((prefix) => isAny(this.#holders.withPrefix(prefix))) ||
      tags.some((tag) => isAny(this.#holders.withTag(tag)))
    );
  }

  /** Whether what is noted may be forgotten: no lease runs, here or from the instance before. */
  #isQuiet(): boolean {
    if (this.#guard !== undefined && !this.#guard.isOver) return false;
    if (!this.#leases.isQuiet) return false;
    this.#leases.forgetPatterns();
    return true;
  }

  /** A log position that no answer has seen: an entry about nothing. */
  #mark(): Promise<number | undefined> {
    const { commit, residence, clock } = this.#options;
    return commit.submit(() =>
      residence
        .open()
        ?.log.append({ kind: "intent", key: "", version: 0, existed: false, atMs: clock.now() }),
    );
  }

  #abortAll(): void {
    const ledger = this.#options.residence.open();
    if (ledger === undefined) return;
    const nowMs = this.#options.clock.now();
    const error = new WarpError(
      "write_interrupted",
      "the shard was interrupted before this strong write could commit; nothing was changed",
      { retryable: true },
    ).toData();
    for (const { revision, operations } of ledger.intents.all()) {
      for (const [opId, print] of operations) {
        const isOld = (opIdTime(opId) ?? 0) < nowMs - opIdWindowMs;
        // What stands in a stream, or may come to stand there, was acknowledged: it is not refused, and a repeat does it anew.
        const isProposable = ledger.space.fallback !== undefined;
        if (!isOld && !isProposable && !ledger.knows(opId)) ledger.keepRefusal(opId, print, error, nowMs);
      }
      ledger.intents.remove(revision);
    }
  }
}
