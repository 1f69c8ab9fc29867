import { type ErrorCode, type ErrorDetails, WarpError } from "../../errors.ts";
import { compareKeys } from "../../protocol/key.ts";
import { checkMutation, preconditionHolds } from "../../protocol/mutation.ts";
import { formatETag, type Position } from "../../protocol/position.ts";
import type { RegistrationSettings, StoredRegistration } from "../../protocol/registration.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import type { Clock } from "../../runtime/clock.ts";
import { randomHex } from "../../runtime/ids.ts";
import { defaultLogMaxEntries, defaultMaxValueBytes, maxListBytes } from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
import type { ChangesAnswer, ListedKey, Mutation, Payload, StoredEntry, Verdict } from "../adapter.ts";
import type { ResolvedList } from "../list-page.ts";
import { VerdictMemory } from "../verdict-memory.ts";
import { DueQueue } from "./due-queue.ts";
import { MemoryLog } from "./memory-log.ts";
import { MemoryRegistrations } from "./memory-registrations.ts";

/** What a {@link MemoryStorage} is made of. */
export interface MemoryStorageOptions {
  readonly clock: Clock;
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

interface Held {
  readonly version: number;
  readonly modifiedAtMs: number;
  readonly payload: Payload;
  /** `Infinity`: never. */
  readonly endsAtMs: number;
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
  readonly #keys = new Map<string, Held>();
  readonly #due = new DueQueue();
  readonly #log: MemoryLog;
  readonly #verdicts = new VerdictMemory();
  readonly #registrations = new MemoryRegistrations();
  #registrationVersion = 0;
  /** The keys in order of their bytes; undefined after a key has come or gone. */
  #sorted: readonly string[] | undefined;

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
    return keys.map((key) => {
      const held = this.#keys.get(key);
      if (held === undefined) return undefined;
      const { version, modifiedAtMs, payload } = held;
      return { key, version, modifiedAtMs, payload, ...lifeLeft(held, nowMs) };
    });
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
      return verdict;
    });
  }

  list({ prefix, limit, after, values }: ResolvedList): { items: ListedKey[]; more: boolean } {
    const nowMs = this.#expireDue();
    this.#sorted ??= [...this.#keys.keys()].sort(compareKeys);
    const items: ListedKey[] = [];
    let bytes = 0;
    for (let at = firstPlace(this.#sorted, prefix, after); at < this.#sorted.length; at++) {
      const key = this.#sorted[at] ?? "";
      const held = this.#keys.get(key);
      if (held === undefined || !key.startsWith(prefix)) break;
      const sizeBytes = held.payload.bytes.length;
      bytes += values ? sizeBytes : 0;
      if (items.length === limit || (bytes > maxListBytes && items.length > 0)) return { items, more: true };
      items.push({
        key,
        version: held.version,
        modifiedAtMs: held.modifiedAtMs,
        sizeBytes,
        contentType: held.payload.contentType,
        ...lifeLeft(held, nowMs),
        ...(values ? { payload: held.payload } : {}),
      });
    }
    return { items, more: false };
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
    return { registration, created: this.#registrations.put(registration) };
  }

  unregister(pattern: string): boolean {
    const removed = this.#registrations.remove(pattern);
    if (removed) this.#registrationVersion = this.#log.append("register", pattern);
    return removed;
  }

  #carryOut(mutation: Mutation, nowMs: number): Verdict {
    if (mutation.kind === "invalidatePrefix") {
      const revision = this.#log.append("invalidatePrefix", mutation.prefix);
      return { outcome: "ok", version: 0, revision, existed: false };
    }
    const { key } = mutation;
    if (this.space.strict && !this.#registrations.covers(key)) {
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
      this.#remove(key);
      return { outcome: "ok", version: 0, revision: this.#log.append("delete", key), existed };
    }
    const revision = this.#log.append("set", key);
    const modifiedAtMs = Math.floor(nowMs);
    const endsAtMs = modifiedAtMs + (mutation.expiresInMs ?? Number.POSITIVE_INFINITY);
    if (!existed) this.#sorted = undefined;
    this.#keys.set(key, { version: revision, modifiedAtMs, payload: mutation.payload, endsAtMs });
    if (mutation.expiresInMs !== undefined) this.#due.push(key, endsAtMs);
    return { outcome: "ok", version: revision, revision, existed };
  }

  /** Every call begins with it: what is due is gone, and the log says so. Gives the call's time. */
  #expireDue(): number {
    const nowMs = this.#clock.now();
    while (this.#due.nextMs <= nowMs) {
      const key = this.#due.pop() ?? "";
      const held = this.#keys.get(key);
      // Overwritten or deleted since, or overwritten with a later end, which has a place of its own in the queue.
      if (held === undefined || held.endsAtMs > nowMs) continue;
      this.#remove(key);
      this.#log.append("expire", key);
    }
    return nowMs;
  }

  #remove(key: string): void {
    this.#keys.delete(key);
    this.#sorted = undefined;
  }
}

function lifeLeft(held: Held, nowMs: number): { readonly expiresInMs?: number } {
  return held.endsAtMs === Number.POSITIVE_INFINITY ? {} : { expiresInMs: held.endsAtMs - nowMs };
}

function fail(code: ErrorCode, message: string, details?: ErrorDetails): Verdict {
  const error = new WarpError(code, message, details === undefined ? {} : { details });
  return { outcome: "fail", error: error.toData() };
}

/** Index of the first key that is not before `prefix` and comes after `after`. */
function firstPlace(sorted: readonly string[], prefix: string, after: string | undefined): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const key = sorted[middle] ?? "";
    const before = compareKeys(key, prefix) < 0 || (after !== undefined && compareKeys(key, after) <= 0);
    if (before) low = middle + 1;
    else high = middle;
  }
  return low;
}
