import { WarpError } from "../../errors.ts";
import { isRefusal, type Refusal } from "../../protocol/shard-api.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Ledger } from "../ledger.ts";
import type { Residence } from "../residence.ts";
import type { Claims, Turn } from "./claims.ts";
import type { Guard } from "./guard.ts";
import type { Holders } from "./holders.ts";
import type { Leases } from "./leases.ts";
import { nothing, type Operation, type Touch, union } from "./operation.ts";
import { isMet, type Quorum, quorumFailed, quorumFor } from "./quorum.ts";
import type { Round } from "./round.ts";

/** What a request asks of strong writes. */
export interface StrongRequest<V, R extends object> {
  readonly operations: readonly Operation<V>[];
  /** The ledger, inside a commit, or why the request is refused as a whole. */
  readonly admit: () => Ledger | Refusal;
  /** The answer, made in the stretch that carries it out. */
  readonly reply: (ledger: Ledger, verdicts: readonly V[]) => R;
  /** The node of the session that asks: it does not count for a quorum. */
  readonly writer: string | undefined;
  readonly weight: number;
}

/** What strong writes share. */
export interface StrongWriteParts {
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly clock: Clock;
  readonly holders: Holders;
  readonly claims: Claims;
  readonly leases: () => Leases;
  readonly guard: () => Guard | undefined;
  /** Who votes: every member with an open socket. */
  readonly members: () => readonly { readonly node: string; readonly zone: string | undefined }[];
  readonly round: (wants: ConstructorParameters<typeof Round>[0]) => Round;
  /** Rows of writes that could not be removed when they failed. */
  readonly orphans: Set<number>;
}

/** What is to be invalidated before the write may commit. */
interface Plan {
  /** Its row and its first log entry. */
  readonly row: number;
  /** The log position that holders must not fall behind. */
  readonly revision: number;
  readonly touch: Touch;
  /** Keys whose permissions must be taken back. */
  readonly held: ReadonlySet<string>;
  readonly quorums: ReadonlyMap<number, Quorum>;
  /** Operations that miss their quorum. */
  readonly failed: Map<number, WarpError>;
}

/**
 * One strong write (rule ST2), from its place in the queue to its release: judge on committed state, write the intent, let every holder drop its
 * copy, commit. It runs on, whatever becomes of the call that began it. `docs/design/consistency.md` says why it is right.
 */
export class StrongWrite<V, R extends object> {
  readonly done: Promise<R | Refusal>;
  readonly #parts: StrongWriteParts;
  readonly #request: StrongRequest<V, R>;
  readonly #turn: Turn;
  /** The row of the intent that was written last. */
  #row: number | undefined;
  /** Operations that have missed their quorum in a round whose request began again. */
  #missed: ReadonlyMap<number, WarpError> = new Map();

  constructor(parts: StrongWriteParts, request: StrongRequest<V, R>) {
    this.#parts = parts;
    this.#request = request;
    const { operations } = request;
    this.#turn = parts.claims.enter(operations.flatMap(({ claims, opId }) => [...claims, opId]));
    this.done = this.#run();
    // Who asked hears of a failure; nobody has to be there to hear it.
    this.done.catch(() => {});
  }

  async #run(): Promise<R | Refusal> {
    const { commit, claims, guard } = this.#parts;
    const { operations, weight } = this.#request;
    try {
      await this.#turn.comes;
      for (;;) {
        await guard()?.passes(union(operations.map(({ reach }) => reach)));
        const prepared = await commit
          .submit(() => this.#prepare(), weight)
          .catch((error: unknown) => {
            throw this.#unprepared(error);
          });
        if ("answer" in prepared) return prepared.answer;
        const round = await this.#call(prepared);
        const answer = await this.#finish(prepared, round);
        if (answer !== undefined) return answer;
      }
    } finally {
      claims.leave(this.#turn);
    }
  }

  /** The stretch that judges the write on committed state: answers it, or writes the intent. */
  #prepare(): { readonly answer: R | Refusal } | Plan {
    this.#row = undefined;
    const ledger = this.#request.admit();
    if (isRefusal(ledger)) return { answer: ledger };
    this.#removeOrphans(ledger);
    const { operations } = this.#request;
    const { touches, quorums, failed } = this.#judge();
    const present = this.#parts.residence.open() ?? ledger;
    const effective = new Set([...touches.keys()].filter((at) => !failed.has(at) && !isNothing(touches[at])));
    const touch = this.#narrow(effective, touches, quorums);
    const held = this.#held(touch);
    if (held.size === 0 && quorums.size === 0) return { answer: this.#answer(present, failed) };
    for (const key of held) this.#parts.claims.add(this.#turn, key);
    const row = present.log.head + 1;
    this.#row = row;
    // One that was undone had this number: nothing of it is stored, and the row is this write's now.
    this.#parts.orphans.delete(row);
    this.#intend(present, touch);
    present.intents.add(
      row,
      this.#parts.clock.now(),
      operations.flatMap((operation, at) =>
        effective.has(at) ? [[operation.opId, operation.print()] as const] : [],
      ),
    );
    return { row, revision: present.log.head, touch, held, quorums, failed };
  }

  /** What each operation would touch now, its quorum, and those that can't have theirs: what these fail to do may change what the others do. */
  #judge(): {
    readonly touches: readonly Touch[];
    readonly quorums: ReadonlyMap<number, Quorum>;
    readonly failed: Map<number, WarpError>;
  } {
    const { residence } = this.#parts;
    const failed = new Map(this.#missed);
    for (;;) {
      const verdicts = residence.trial(() => this.#carryOut(failed));
      const registrations = residence.open()?.registrations;
      const touches = this.#request.operations.map((operation, at) => operation.touched(verdicts[at] as V));
      const quorums = new Map<number, Quorum>();
      const failedBefore = failed.size;
      for (const [at, operation] of this.#request.operations.entries()) {
        const quorum = quorumFor(operation, registrations, touches[at]?.keys ?? []);
        if (quorum === undefined) continue;
        if (isMet(quorum, this.#voters())) quorums.set(at, quorum);
        else failed.set(at, quorumFailed(quorum, this.#voters(), "are connected"));
      }
      if (failed.size === failedBefore) return { touches, quorums, failed };
    }
  }

  /** Whatever became of the intent: nobody was told, and nothing will be carried out. */
  #unprepared(error: unknown): unknown {
    if (this.#row === undefined) return error;
    this.#parts.orphans.add(this.#row);
    return new WarpError("storage_unavailable", "the storage did not take the intent; nothing was changed", {
      cause: error,
    });
  }

  /** Tells holders, and for a quorum every member, and waits for what they do. */
  async #call({ revision, touch, held, quorums }: Plan): Promise<Round> {
    const leases = this.#parts.leases();
    const called = leases.call({ revision, ...touch }, held, quorums.size > 0, this.#request.writer);
    const round = this.#parts.round({ called, quorums: [...quorums.values()] });
    await leases.follow(round, called);
    return round;
  }

  /** Commits, or aborts what misses its quorum. Undefined: what it would do now is not what was prepared; begin again. */
  async #finish(plan: Plan, round: Round): Promise<R | Refusal | undefined> {
    for (const [at, quorum] of plan.quorums) {
      if (!round.meets(quorum)) plan.failed.set(at, quorumFailed(quorum, round.voters, "dropped it in time"));
    }
    const orphans = [...this.#parts.orphans];
    try {
      const answer = await this.#parts.commit.submit(() => {
        const ledger = this.#request.admit();
        if (isRefusal(ledger)) return ledger;
        ledger.intents.remove(plan.row);
        this.#removeOrphans(ledger);
        const carried = this.#parts.residence.attempt(
          () => this.#carryOut(plan.failed),
          (verdicts) => this.#isPrepared(plan, verdicts),
        );
        const present = this.#parts.residence.open() ?? ledger;
        return carried.kept ? this.#request.reply(present, carried.result) : undefined;
      }, this.#request.weight);
      for (const row of orphans) this.#parts.orphans.delete(row);
      // A quorum that was missed is not tried for again, else a request could go on so for ever.
      this.#missed = plan.failed;
      return answer;
    } catch (error) {
      this.#parts.orphans.add(plan.row);
      throw error;
    }
  }

  #answer(ledger: Ledger, failed: ReadonlyMap<number, WarpError>): R {
    return this.#request.reply(ledger, this.#carryOut(failed));
  }

  /** Carries out all operations but those that failed, whose refusal is kept. */
  #carryOut(failed: ReadonlyMap<number, WarpError>): V[] {
    const nowMs = this.#parts.clock.now();
    const ledger = this.#parts.residence.open();
    if (ledger === undefined) throw new WarpError("internal", "a strong write has lost its shard");
    return this.#request.operations.map((operation, at) => {
      const error = failed.get(at);
      if (error === undefined) return operation.apply(ledger, nowMs);
      const refused = operation.refused(error.toData());
      ledger.keepRefusal(operation.opId, operation.print(), error.toData(), nowMs);
      return refused;
    });
  }

  /** Whether all that was touched had been invalidated, or was in nobody's L1. A key's own end may have changed what a compare says. */
  #isPrepared(plan: Plan, verdicts: readonly V[]): boolean {
    const { holders, residence } = this.#parts;
    const registrations = residence.open()?.registrations;
    return this.#request.operations.every((operation, at) => {
      if (plan.failed.has(at)) return true;
      const { keys } = operation.touched(verdicts[at] as V);
      if (keys.some((key) => holders.has(key))) return false;
      const quorum = quorumFor(operation, registrations, keys);
      const met = plan.quorums.get(at);
      if (quorum === undefined) return true;
      return met !== undefined && met.nodes >= quorum.nodes && met.zones >= quorum.zones;
    });
  }

  /** Of what the operations touch: that which someone may hold, or whose quorum wants to see it dropped. */
  #narrow(
    effective: ReadonlySet<number>,
    touches: readonly Touch[],
    quorums: ReadonlyMap<number, Quorum>,
  ): Touch {
    const { holders } = this.#parts;
    return union(
      [...effective].map((at) => {
        const touch = touches[at] ?? nothing;
        return quorums.has(at) ? touch : { ...touch, keys: touch.keys.filter((key) => holders.has(key)) };
      }),
    );
  }

  /** The held keys among them. Those that another write has claimed are left to it. */
  #held({ keys, prefixes, tags }: Touch): Set<string> {
    const { holders, claims } = this.#parts;
    const held = new Set(keys.filter((key) => holders.has(key)));
    const take = (found: Iterable<string>): void => {
      for (const key of found) if (!claims.has(key) || this.#turn.names.has(key)) held.add(key);
    };
    for (const prefix of prefixes) take(holders.withPrefix(prefix));
    for (const tag of tags) take(holders.withTag(tag));
    return held;
  }

  /** Log entries from whose position on no older answer may enter an L1. */
  #intend({ log, keys }: Ledger, touch: Touch): void {
    const atMs = this.#parts.clock.now();
    for (const key of touch.keys) {
      const version = keys.state(key, atMs)?.version ?? 0;
      log.append({ kind: "intent", key, version, existed: version > 0, atMs });
    }
    const many = { version: 0, existed: false, atMs };
    for (const key of touch.prefixes) log.append({ kind: "invalidatePrefix", key, ...many });
    for (const key of touch.tags) log.append({ kind: "invalidateTag", key, ...many });
  }

  #removeOrphans({ intents }: Ledger): void {
    for (const row of this.#parts.orphans) intents.remove(row);
  }

  #voters() {
    return this.#parts.members().filter(({ node }) => node !== this.#request.writer);
  }
}

function isNothing(touch: Touch | undefined): boolean {
  return touch === undefined || touch.keys.length + touch.prefixes.length + touch.tags.length === 0;
}
