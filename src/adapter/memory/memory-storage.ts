import { type ErrorCode, type ErrorDetails, WarpError } from "../../errors.ts";
import { type Claiming, LoadClaims } from "../../protocol/load-claims.ts";
import { checkMutation, endsClaims, preconditionHolds, subjectOf } from "../../protocol/mutation.ts";
import { formatETag, type Position } from "../../protocol/position.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { ClaimReply, VersionReply, VersionRequest } from "../../protocol/shard-api.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { versionCompacted } from "../../protocol/versions.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import { defaultLogMaxEntries, defaultMaxValueBytes } from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
import type { ChangesAnswer, ListedKey, Mutation, Payload, StoredEntry, Verdict } from "../adapter.ts";
import type { ResolvedList } from "../list-page.ts";
import { VerdictMemory } from "../verdict-memory.ts";
import { DueQueue } from "./due-queue.ts";
import { MemoryHistory, type Version } from "./memory-history.ts";
import { asVersion, MemoryKeys } from "./memory-keys.ts";
import { MemoryLog } from "./memory-log.ts";
import { MemoryRegistrations } from "./memory-registrations.ts";

/** What a {@link MemoryStorage} is made of. */
export interface MemoryStorageOptions {
  readonly clock: Clock;
  /** For those who wait for another's load. Default: nobody waits, another's claim is `busy` at once. */
  readonly timers?: Timers;
  readonly random: Random;
  /** Name of the space. Default `"memory"`. */
  readonly space?: string;
  /** Whether keys without a registration are refused. Default false. */
  readonly strict?: boolean;
  /** Largest value, in bytes. Default 1,048,576. */
  readonly maxValueBytes?: number;
  /** Log entries kept at least (up to twice as many for a while). Default 100,000. */
  readonly logMaxEntries?: number;
}

/**
 * An authority inside the process: one shard's keys, log, verdicts and registrations on plain maps. Every call is one synchronous
 * stretch, so a batch is all or nothing for whoever looks. Several adapters may stand on one.
 */
export class MemoryStorage {
  readonly space: SpaceSettings;
  readonly #clock: Clock;
  readonly #epoch: string;
  readonly #maxValueBytes: number;
  readonly #keys = new MemoryKeys();
  readonly #due = new DueQueue();
  readonly #log: MemoryLog;
  readonly #verdicts = new VerdictMemory();
  readonly #registrations = new MemoryRegistrations();
  readonly #history: MemoryHistory;
  readonly #claims: LoadClaims;
  readonly #waits: boolean;
  /** Times never run backwards along the log, whatever the clock does. */
  #newestAtMs = 0;
  #registrationVersion = 0;

  constructor(options: MemoryStorageOptions) {
    const { clock, random, space = "memory", strict = false } = options;
    this.#clock = clock;
    this.#epoch = randomHex(random, 8);
    this.#maxValueBytes = options.maxValueBytes ?? defaultMaxValueBytes;
    this.#log = new MemoryLog(options.logMaxEntries ?? defaultLogMaxEntries);
    this.space = {
      name: space,
      id: randomHex(random, 8),
      shards: 1,
      strict,
      createdAtMs: Math.floor(clock.now()),
    };
    this.#history = new MemoryHistory(
      {
        policy: (key) => this.#registrations.match(key)?.settings.history,
        present: (key) => this.#present(key),
        head: () => this.#log.head,
      },
      this.space.createdAtMs,
    );
    const { timers } = options;
    this.#waits = timers !== undefined;
    this.#claims = new LoadClaims(clock, timers ?? { after: () => () => {} });
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
    return keys.map((key) => this.#keys.entry(key, nowMs));
  }

  /** Carries out mutations in order; each ends in its verdict. */
  apply(mutations: readonly Mutation[]): Verdict[] {
    const nowMs = this.#expireDue();
    return mutations.map((mutation) => {
      const refused = checkMutation(mutation, nowMs, this.#maxValueBytes);
      if (refused !== undefined) return { outcome: "fail", error: refused.toData() };
      const known = this.#verdicts.recall(mutation);
      if (known !== undefined) return known;
      const verdict = this.#carryOut(mutation, nowMs);
      this.#verdicts.keep(mutation, verdict, nowMs);
      if (verdict.outcome === "ok" && endsClaims(mutation)) this.#claims.end(mutation.key);
      return verdict;
    });
  }

  list(request: ResolvedList): { items: ListedKey[]; more: boolean } {
    const nowMs = this.#expireDue();
    return this.#keys.list(request, nowMs);
  }

  changes(since: Position, limit: number): ChangesAnswer {
    this.#expireDue();
    const to = this.position;
    const lost = since.epoch !== this.#epoch || since.revision > to.revision;
    if (lost || since.revision < this.#log.floor) {
      return { changes: [], to, complete: true, gap: lost ? "epoch" : "compacted" };
    }
    const changes = this.#log.since(since.revision, limit);
    const revision = since.revision + changes.length;
    return { changes, to: { ...to, revision }, complete: revision === to.revision, gap: undefined };
  }

  /** Throws `invalid_version`, `version_compacted`. */
  readVersion(key: string, which: VersionRequest["which"]): VersionReply["found"] {
    return this.#history.read(key, which, this.#timeOf(this.#expireDue()));
  }

  /** A page of kept versions, newest first. Throws `invalid_limit`, `invalid_version`. */
  history(key: string, before: number | undefined, limit: number): ReturnType<MemoryHistory["page"]> {
    this.#expireDue();
    return this.#history.page(key, before, limit);
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
    const standing = this.#registrations.check(pattern, settings, ifVersion);
    if (standing !== undefined) return { registration: standing, created: false };
    this.#registrationVersion = this.#log.append("register", pattern);
    const registration = { pattern, settings, version: this.#registrationVersion, source: "space" } as const;
    const before = this.#registrations.get(pattern)?.settings;
    const created = this.#registrations.put(registration);
    this.#history.registered(before, settings, this.#timeOf(this.#clock.now()));
    return { registration, created };
  }

  unregister(pattern: string): boolean {
    const before = this.#registrations.get(pattern)?.settings;
    if (before === undefined) return false;
    this.#registrations.remove(pattern);
    this.#registrationVersion = this.#log.append("register", pattern);
    this.#history.registered(before, undefined, this.#timeOf(this.#clock.now()));
    return true;
  }

  #carryOut(mutation: Mutation, nowMs: number): Verdict {
    if (mutation.kind === "invalidatePrefix" || mutation.kind === "invalidateTag") {
      const revision = this.#log.append(mutation.kind, subjectOf(mutation));
      return { outcome: "ok", version: 0, revision, existed: false };
    }
    const { key } = mutation;
    if (this.space.strict && this.#registrations.match(key) === undefined) {
      return fail("unregistered", "the space is strict and no registration covers this key");
    }
    const held = this.#keys.get(key);
    const existed = held !== undefined;
    const version = held?.version ?? 0;
    if (mutation.kind === "invalidate") {
      return { outcome: "ok", version, revision: this.#log.append("invalidate", key), existed };
    }
    const etag = existed ? formatETag(this.#epoch, version) : undefined;
    if (mutation.when !== undefined && !preconditionHolds(mutation.when, etag)) {
      const message = existed ? "the key is at another version" : "the key does not exist";
      return fail("precondition_failed", message, { version });
    }
    if (mutation.kind === "delete") {
      if (!existed) return { outcome: "ok", version: 0, revision: 0, existed };
      const revision = this.#end("delete", key, this.#timeOf(nowMs));
      return { outcome: "ok", version: 0, revision, existed };
    }
    if (mutation.kind === "set") {
      const life = mutation.expiresInMs ?? Number.POSITIVE_INFINITY;
      const revision = this.#put(key, mutation.payload, mutation.tags, nowMs, life);
      return { outcome: "ok", version: revision, revision, existed };
    }
    if (mutation.kind === "merge")
      return fail("merge_rule_missing", "no merge rule is registered for this key");
    const kept = this.#history.value(key, mutation.version);
    if (kept === "future") return fail("invalid_version", "the storage has not come to this version yet");
    if (kept === "none") return fail("not_found", "the key has no value of this version");
    if (kept === "compacted") {
      return { outcome: "fail", error: versionCompacted(this.#history.floor(key)).toData() };
    }
    const revision = this.#put(key, kept.payload, kept.tags, nowMs, Number.POSITIVE_INFINITY);
    return { outcome: "ok", version: revision, revision, existed };
  }

  #put(
    key: string,
    payload: Payload,
    tags: readonly string[] | undefined,
    nowMs: number,
    lifeMs: number,
  ): number {
    const before = this.#present(key);
    const version = this.#log.append("set", key);
    const modifiedAtMs = this.#timeOf(nowMs);
    this.#newestAtMs = modifiedAtMs;
    const endsAtMs = Math.floor(nowMs) + lifeMs;
    const held = { version, modifiedAtMs, payload, tags: tags?.length === 0 ? undefined : tags, endsAtMs };
    this.#keys.set(key, held);
    if (endsAtMs !== Number.POSITIVE_INFINITY) this.#due.push(key, endsAtMs);
    this.#history.add(key, before, asVersion(held));
    return version;
  }

  /** A key goes, at `atMs`; gives the revision. */
  #end(kind: "delete" | "expire", key: string, atMs: number): number {
    const before = this.#present(key);
    const version = this.#log.append(kind, key);
    this.#newestAtMs = Math.max(this.#newestAtMs, atMs);
    this.#keys.delete(key);
    this.#history.add(key, before, {
      version,
      kind,
      atMs: Math.max(atMs, before?.atMs ?? 0),
      sizeBytes: 0,
    });
    return version;
  }

  #present(key: string): Version | undefined {
    return this.#keys.version(key);
  }

  #timeOf(nowMs: number): number {
    return Math.max(Math.floor(nowMs), this.#newestAtMs);
  }

  /** Every call begins with it: what is due is gone, and the log says so. Gives the call's time. */
  #expireDue(): number {
    const nowMs = this.#clock.now();
    while (this.#due.nextMs <= nowMs) {
      const key = this.#due.pop() ?? "";
      const held = this.#keys.get(key);
      // Overwritten or deleted since, or overwritten with a later end, which has a place of its own in the queue.
      if (held === undefined || held.endsAtMs > nowMs) continue;
      // The version ends when the life did, not when someone noticed.
      this.#end("expire", key, held.endsAtMs);
    }
    this.#history.expire(nowMs);
    return nowMs;
  }
}

function fail(code: ErrorCode, message: string, details?: ErrorDetails): Verdict {
  const error = new WarpError(code, message, details === undefined ? {} : { details });
  return { outcome: "fail", error: error.toData() };
}
