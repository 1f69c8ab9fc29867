import { WarpError } from "../../errors.ts";
import { MergeRules } from "../../merge/merge-rules.ts";
import { type HeldLocks, notHeld } from "../../protocol/fence.ts";
import { type Claiming, LoadClaims } from "../../protocol/load-claims.ts";
import { checkMutation, endsClaims, mutationPrint } from "../../protocol/mutation.ts";
import { keptVerdict } from "../../protocol/outcomes.ts";
import { type Plan, type PlanView, type PresentKey, planMutation, verdictOf } from "../../protocol/plan.ts";
import type { Position } from "../../protocol/position.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { ClaimReply, Resolution, VersionReply, VersionRequest } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { carryOutSteps, planTransaction } from "../../protocol/transaction-plan.ts";
import { checkTransaction, transactionPrint } from "../../protocol/transaction-rules.ts";
import { VerdictMemory } from "../../protocol/verdict-memory.ts";
import type { Clock } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import { defaultLogMaxBytes, defaultLogMaxEntries, defaultMaxValueBytes } from "../../runtime/limits.ts";
import type {
  AdapterSupports,
  ChangesAnswer,
  ListedKey,
  Mutation,
  StoredEntry,
  Transaction,
  TransactionVerdict,
  Verdict,
} from "../adapter.ts";
import type { ResolvedList } from "../list-page.ts";
import { judged } from "./judged.ts";
import { MemoryFeed } from "./memory-feed.ts";
import type { MemoryHistory } from "./memory-history.ts";
import { leasedStorage, type MemoryLeasing } from "./memory-leasing.ts";
import { MemoryLog } from "./memory-log.ts";
import { MemoryRegistrations } from "./memory-registrations.ts";
import type { MemoryStorageOptions } from "./memory-storage-options.ts";
import { MemoryValues } from "./memory-values.ts";
import { MemoryWatching } from "./memory-watching.ts";
import { noLocks } from "./no-locks.ts";

export type { MemoryStorageOptions } from "./memory-storage-options.ts";

/**
 * An authority inside the process: one shard's keys, log, verdicts and registrations on plain maps. Every call is one synchronous
 * stretch, so a batch is all or nothing for whoever looks. Several adapters may stand on one.
 */
export class MemoryStorage {
  readonly space: SpaceSettings;
  readonly feed: MemoryFeed;
  /** For those who watch. */
  readonly watching: MemoryWatching;
  /** What it can do only with what it was given. */
  readonly supports: Pick<AdapterSupports, "fences" | "leases">;
  readonly #clock: Clock;
  readonly #epoch: string;
  readonly #maxValueBytes: number;
  readonly #log: MemoryLog;
  readonly #values: MemoryValues;
  readonly #merges: MergeRules;
  readonly #verdicts = new VerdictMemory();
  readonly #registrations: MemoryRegistrations;
  readonly #claims: LoadClaims;
  readonly #waits: boolean;
  readonly #locks: HeldLocks;
  readonly #leases: MemoryLeasing | undefined;
  #registrationVersion = 0;

  constructor(options: MemoryStorageOptions) {
    const { clock, random, space = "memory", strict = false } = options;
    this.#clock = clock;
    this.#epoch = randomHex(random, 8);
    this.#maxValueBytes = options.maxValueBytes ?? defaultMaxValueBytes;
    this.#log = new MemoryLog(
      options.logMaxEntries ?? defaultLogMaxEntries,
      options.logMaxBytes ?? defaultLogMaxBytes,
    );
    this.feed = new MemoryFeed(this.#log, () => this.position);
    this.space = {
      name: space,
      id: randomHex(random, 8),
      shards: 1,
      strict,
      createdAtMs: Math.floor(clock.now()),
    };
    this.#registrations = new MemoryRegistrations(options.statics);
    this.#values = new MemoryValues(
      this.#log,
      (key) => this.#registrations.match(key)?.settings.history,
      this.space.createdAtMs,
    );
    this.#merges = new MergeRules(options.merges);
    this.supports = { fences: options.locks !== undefined, leases: options.leases !== undefined };
    this.#locks = options.locks ?? noLocks;
    const { timers } = options;
    this.#waits = timers !== undefined;
    this.#claims = new LoadClaims(clock, timers ?? { after: () => () => {} });
    this.watching = new MemoryWatching({
      log: this.#log,
      feed: this.feed,
      verdicts: this.#verdicts,
      values: this.#values,
      position: () => this.position,
      begin: () => this.#expireDue(),
    });
    this.#leases = options.leases;
    this.#leases?.serve(
      leasedStorage({
        clock,
        space: this.space,
        verdicts: this.#verdicts,
        registrations: this.#registrations,
        log: this.#log,
        values: this.#values,
        feed: this.feed,
      }),
    );
  }

  /** The head of the log. */
  get position(): Position {
    return { shard: 0, epoch: this.#epoch, revision: this.#log.head };
  }

  /** Revision of the newest change to the registrations; 0: none yet. */
  get registrationVersion(): number {
    return this.#registrationVersion;
  }

  read(keys: readonly string[]): (StoredEntry | undefined)[] {
    const nowMs = this.#expireDue();
    return keys.map((key) => this.#values.keys.entry(key, nowMs));
  }

  /** Carries out mutations in order; each ends in its verdict. */
  apply(mutations: readonly Mutation[]): Verdict[] {
    const nowMs = this.#expireDue();
    const verdicts = mutations.map((mutation): Verdict => {
      const refused = checkMutation(mutation, nowMs, this.#maxValueBytes);
      if (refused !== undefined) return { outcome: "fail", error: refused.toData() };
      const { opId } = mutation;
      const print = mutationPrint(mutation);
      const known = this.#verdicts.recall<Verdict>(opId, print);
      if (known !== undefined) return known;
      const verdict = judged((): Verdict => {
        const plan = planMutation(mutation, this.#view(nowMs));
        return verdictOf(plan, this.#carryOut(plan, nowMs));
      });
      this.#verdicts.keep(opId, { print, verdict, part: !("key" in mutation) }, nowMs);
      if (verdict.outcome === "ok" && endsClaims(mutation)) this.#claims.end(mutation.key);
      return verdict;
    });
    this.feed.tell();
    return verdicts;
  }

  /** Carries out a transaction: all of it at one revision, or nothing. */
  transact(transaction: Transaction): TransactionVerdict {
    const nowMs = this.#expireDue();
    const refused = checkTransaction(transaction, nowMs, this.#maxValueBytes);
    if (refused !== undefined) return { outcome: "fail", error: refused.toData() };
    const { opId } = transaction;
    const print = transactionPrint(transaction);
    const known = this.#verdicts.recall<TransactionVerdict>(opId, print);
    if (known !== undefined) return known;
    const verdict = judged((): TransactionVerdict => {
      const view = this.#view(nowMs);
      const plan = planTransaction(transaction, view);
      const act = (part: Plan<PresentKey>): number => this.#carryOut(part, nowMs);
      return this.#log.together(() => carryOutSteps(plan, view, act));
    });
    this.#verdicts.keep(opId, { print, verdict: keptVerdict(verdict) }, nowMs);
    if (verdict.outcome === "ok") {
      for (const { kind, key } of verdict.results) if (kind !== "get") this.#claims.end(key);
    }
    this.feed.tell();
    return verdict;
  }

  /** Throws as {@link VerdictMemory.resolve}. */
  resolve(opIds: readonly string[], seal: boolean): readonly Resolution[] {
    return this.#verdicts.resolve(opIds, seal, this.#clock.now());
  }

  list(request: ResolvedList): { items: ListedKey[]; more: boolean } {
    const nowMs = this.#expireDue();
    return this.#values.keys.list(request, nowMs);
  }

  changes(since: Position, limit: number): ChangesAnswer {
    this.#expireDue();
    const to = this.position;
    const lost = since.epoch !== this.#epoch || since.revision > to.revision;
    if (lost || since.revision < this.#log.floor) {
      return { changes: [], to, complete: true, gap: lost ? "epoch" : "compacted" };
    }
    const changes = this.#log.since(since.revision, limit);
    // Behind the last change there may be publications, which are none.
    const revision = changes.length < limit ? to.revision : (changes.at(-1)?.revision ?? to.revision);
    return { changes, to: { ...to, revision }, complete: revision === to.revision, gap: undefined };
  }

  /** Throws `invalid_version`, `version_compacted`. */
  readVersion(key: string, which: VersionRequest["which"]): VersionReply["found"] {
    return this.#values.history.read(key, which, this.#values.timeOf(this.#expireDue()));
  }

  /** A page of kept versions, newest first. Throws `invalid_limit`, `invalid_version`. */
  history(key: string, before: number | undefined, limit: number): ReturnType<MemoryHistory["page"]> {
    this.#expireDue();
    return this.#values.history.page(key, before, limit);
  }

  /** Throws as {@link LoadClaims.claim}. */
  claimLoad(request: Claiming): Promise<ClaimReply["claim"]> {
    return this.#claims.claim(this.#waits ? request : { ...request, waitMs: 0 });
  }

  registrations(): readonly StoredRegistration[] {
    return this.#registrations.list();
  }

  /** Throws as {@link MemoryRegistrations.check}. */
  register(
    pattern: string,
    settings: RegistrationSettings,
    ifVersion: number | undefined,
  ): { readonly registration: StoredRegistration; readonly created: boolean } {
    this.#merges.check(settings.merge);
    const standing = this.#registrations.check(pattern, settings, ifVersion);
    if (standing !== undefined) return { registration: standing, created: false };
    this.#registrationVersion = this.#log.append("register", pattern);
    const registration = { pattern, settings, version: this.#registrationVersion, source: "space" } as const;
    const before = this.#registrations.get(pattern)?.settings;
    const created = this.#registrations.put(registration);
    this.#values.history.registered(before, settings, this.#values.timeOf(this.#clock.now()));
    this.feed.tell();
    return { registration, created };
  }

  unregister(pattern: string): boolean {
    const before = this.#registrations.get(pattern)?.settings;
    if (before === undefined) return false;
    this.#registrations.remove(pattern);
    this.#registrationVersion = this.#log.append("register", pattern);
    this.#values.history.registered(before, undefined, this.#values.timeOf(this.#clock.now()));
    this.feed.tell();
    return true;
  }

  /** Every call begins with it. Gives the call's time. */
  #expireDue(): number {
    const nowMs = this.#clock.now();
    this.#values.expire(nowMs);
    this.#leases?.expire();
    this.feed.tell();
    return nowMs;
  }

  #carryOut(plan: Plan<PresentKey>, nowMs: number): number {
    if (plan.act === "put" && plan.lease !== undefined) this.#leases?.attach(plan.lease, plan.key);
    return this.#values.carryOut(plan, nowMs);
  }

  /** The state as plans see it: what was due is gone. */
  #view(nowMs: number): PlanView<PresentKey> {
    return {
      nowMs,
      epoch: this.#epoch,
      strict: this.space.strict,
      maxValueBytes: this.#maxValueBytes,
      present: (key) => this.#values.present(key),
      entry: (key) => this.#values.keys.entry(key, nowMs),
      settings: (key) => this.#registrations.match(key)?.settings,
      kept: (key, version) => this.#values.history.read(key, { version }, this.#values.timeOf(nowMs)),
      isHeld: (lock, fence) => this.#locks.isHeld(lock, fence),
      checkGuard: (_key, guard) => {
        if (!this.#locks.isHeld(guard.lock, guard.fence)) throw notHeld(guard);
      },
      merge: (settings, stored, operand) => this.#merges.merge(settings, stored, operand),
      checkLease: (lease, key) => {
        if (this.#leases === undefined) throw new WarpError("unsupported", "this storage has no leases");
        this.#leases.check(lease, key);
      },
    };
  }
}
