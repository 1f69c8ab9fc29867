import { WarpError } from "../errors.ts";
import { checkPattern, checkSpace } from "../protocol/key.ts";
import {
  type CallScope,
  type ChangesReply,
  type ChangesRequest,
  isRefusal,
  type ListReply,
  type ListRequest,
  type MutateReply,
  type MutateRequest,
  type ReadReply,
  type ReadRequest,
  type Refusal,
  type RegisterReply,
  type RegisterRequest,
  type RegistrationsReply,
  type ShardApi,
  type ShardStamp,
  type SpaceOptionsData,
  type SpaceReply,
  type StoredEntry,
  type UnregisterRequest,
  type UsageReply,
} from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import { randomHex } from "../runtime/ids.ts";
import { maxChangesLimit, maxGroupMutations, maxListBytes, maxReplyBytes } from "../runtime/limits.ts";
import type { Random } from "../runtime/random.ts";
import type { Sql } from "../runtime/sql.ts";
import { GroupCommit } from "./group-commit.ts";
import { Ledger, type LedgerOptions } from "./ledger.ts";
import { Meta } from "./meta.ts";
import { migrate, schemaVersion } from "./schema.ts";
import { newSpace, spaceConflict } from "./space.ts";

/** What a shard is made of. */
export interface ShardOptions extends LedgerOptions {
  readonly sql: Sql;
  readonly random: Random;
  /** Settles when all that was written is durable. */
  readonly durable: () => Promise<void>;
  /** Removes the whole database and its alarm. */
  readonly wipe: () => Promise<void>;
  /** Bytes that the database takes. */
  readonly databaseBytes: () => number;
  /** The home shard (0) of a space, asked by the others for what it alone knows. */
  readonly home: (space: string) => Pick<ShardApi, "getSpace" | "getRegistrations">;
  /** See `GroupCommitOptions`. */
  readonly groupCommit?: boolean;
}

/** The epoch in answers of a shard that was never written to. */
export const unwrittenEpoch = "0000000000000000";
const unwritten: ShardStamp = { epoch: unwrittenEpoch, asOf: 0, registrations: 0 };

/**
 * The authority for a part of a space's keys. This class only admits calls and puts them in order; what is done with them is in the
 * files beside it.
 */
export class Shard implements ShardApi {
  readonly #options: ShardOptions;
  readonly #commit: GroupCommit;
  #ledger: Ledger | undefined;

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#commit = new GroupCommit(
      {
        transaction: (work) => this.#transaction(work),
        durable: options.durable,
        undone: () => this.#forget(),
      },
      { grouping: options.groupCommit ?? true, maxWeight: maxGroupMutations },
    );
    if (schemaVersion(options.sql) > 0) migrate(options.sql);
  }

  async read(request: ReadRequest): Promise<ReadReply | Refusal> {
    const ledger = await this.#admit(request, "read");
    if (ledger === undefined) return { ...unwritten, entries: request.keys.map(() => null) };
    if (isRefusal(ledger)) return ledger;
    const nowMs = this.#expireForRead(ledger);
    const entries: (StoredEntry | null)[] = [];
    let bytes = 0;
    for (const key of request.keys) {
      const entry = ledger.keys.get(key, nowMs) ?? null;
      bytes += entry?.payload.bytes.length ?? 0;
      if (bytes > maxReplyBytes && entries.length > 0) break;
      entries.push(entry);
    }
    return { ...ledger.stamp(), entries };
  }

  async list(request: ListRequest): Promise<ListReply | Refusal> {
    const ledger = await this.#admit(request, "read");
    if (ledger === undefined) return { ...unwritten, items: [], more: false };
    if (isRefusal(ledger)) return ledger;
    const nowMs = this.#expireForRead(ledger);
    const { prefix, after, limit, values } = request;
    return {
      ...ledger.stamp(),
      ...ledger.keys.list(prefix, after, limit, nowMs, values ? maxListBytes : undefined),
    };
  }

  async changes(request: ChangesRequest): Promise<ChangesReply | Refusal> {
    const ledger = await this.#admit(request, "read");
    if (ledger === undefined) {
      return {
        ...unwritten,
        changes: [],
        to: 0,
        ...(request.epoch === unwrittenEpoch ? {} : { gap: "epoch" }),
      };
    }
    if (isRefusal(ledger)) return ledger;
    this.#expireForRead(ledger);
    if (request.epoch !== ledger.epoch) {
      return { ...ledger.stamp(), changes: [], to: ledger.log.head, gap: "epoch" };
    }
    if (request.since > ledger.log.head) return await this.#newLife();
    if (request.since < ledger.log.floor) {
      return { ...ledger.stamp(), changes: [], to: ledger.log.head, gap: "compacted" };
    }
    const limit = Math.min(request.limit, maxChangesLimit);
    const changes = ledger.log.since(request.since, limit);
    return {
      ...ledger.stamp(),
      changes,
      to: changes.length < limit ? ledger.log.head : (changes.at(-1)?.revision ?? ledger.log.head),
    };
  }

  async usage(request: CallScope): Promise<UsageReply | Refusal> {
    const ledger = await this.#admit(request, "read");
    if (ledger === undefined) {
      return { ...unwritten, keys: 0, valueBytes: 0, logEntries: 0, logFloor: 0, databaseBytes: 0 };
    }
    if (isRefusal(ledger)) return ledger;
    this.#expireForRead(ledger);
    const { log, keys } = ledger;
    return {
      ...ledger.stamp(),
      ...keys.totals(),
      logEntries: log.entries,
      logFloor: log.floor,
      databaseBytes: this.#options.databaseBytes(),
    };
  }

  async mutate(request: MutateRequest): Promise<MutateReply | Refusal> {
    const admitted = await this.#admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    return await this.#commit.submit(() => {
      const ledger = this.#stillAdmitted(request);
      if (isRefusal(ledger)) return ledger;
      const nowMs = this.#options.clock.now();
      const verdicts = request.mutations.map((mutation) => ledger.mutator.apply(mutation, nowMs));
      return { ...ledger.stamp(), verdicts };
    }, request.mutations.length);
  }

  async getSpace(_space: string): Promise<SpaceReply | Refusal> {
    const ledger = this.#open();
    if (ledger === undefined) return notFound();
    if (ledger.deleting) return deleting();
    return { space: ledger.space, registrations: ledger.registrationVersion };
  }

  async createSpace(
    space: string,
    options: Partial<SpaceOptionsData>,
  ): Promise<(SpaceReply & { created: boolean }) | Refusal> {
    return await this.#commit.submit(() =>
      refusing(() => {
        checkSpace(space);
        const present = this.#open();
        if (present !== undefined) {
          if (present.deleting) return deleting();
          const conflict = spaceConflict(present.space, options);
          if (conflict !== undefined) throw conflict;
          return { space: present.space, registrations: present.registrationVersion, created: false };
        }
        const settings = newSpace(space, options, this.#options.random, this.#options.clock.now());
        this.#found(settings);
        return { space: settings, registrations: 0, created: true };
      }),
    );
  }

  async deleteSpace(
    _space: string,
    step: "begin" | "finish",
  ): Promise<{ readonly deleted: boolean } | Refusal> {
    if (step === "begin") {
      return await this.#commit.submit(() => {
        const ledger = this.#open();
        if (ledger === undefined) return notFound();
        if (!ledger.deleting) ledger.markDeleting();
        return { deleted: false };
      });
    }
    const existed = this.#open() !== undefined;
    await this.#wipe();
    return { deleted: existed };
  }

  async getRegistrations(request: CallScope): Promise<RegistrationsReply | Refusal> {
    const ledger = await this.#admit(request, "read");
    if (ledger === undefined) return notFound();
    if (isRefusal(ledger)) return ledger;
    return { registrations: ledger.registrationVersion, list: ledger.registrations.stored() };
  }

  async register(request: RegisterRequest): Promise<RegisterReply | Refusal> {
    const admitted = await this.#admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    return await this.#commit.submit(() =>
      refusing(() => {
        const ledger = this.#stillAdmitted(request);
        if (isRefusal(ledger)) return ledger;
        const { pattern, settings, ifVersion } = request;
        checkPattern(pattern);
        const existed = ledger.registrations.get(pattern) !== undefined;
        const standing = ledger.registrations.check(pattern, settings, ifVersion);
        if (standing !== undefined) {
          return { registration: standing, registrations: ledger.registrationVersion, created: false };
        }
        const version = this.#noteRegistration(ledger, pattern, existed);
        const registration = { pattern, settings, version, source: "space" as const };
        ledger.registrations.put(registration);
        return { registration, registrations: version, created: !existed };
      }),
    );
  }

  async unregister(
    request: UnregisterRequest,
  ): Promise<{ readonly removed: boolean; readonly registrations: number } | Refusal> {
    const admitted = await this.#admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    return await this.#commit.submit(() =>
      refusing(() => {
        const ledger = this.#stillAdmitted(request);
        if (isRefusal(ledger)) return ledger;
        const removed = ledger.registrations.remove(request.pattern);
        if (removed) this.#noteRegistration(ledger, request.pattern, true);
        return { removed, registrations: ledger.registrationVersion };
      }),
    );
  }

  /** The host's alarm went off: does what is due and sets it again. */
  async onAlarm(): Promise<void> {
    if (this.#open() === undefined) return;
    await this.#commit.submit(() => this.#open()?.alarms.ring(this.#options.clock.now()));
  }

  /** Figures about commits so far. */
  get commits(): { readonly commits: number; readonly works: number } {
    return this.#commit.stats;
  }

  #noteRegistration(ledger: Ledger, pattern: string, existed: boolean): number {
    const atMs = this.#options.clock.now();
    const version = ledger.log.append({ kind: "register", key: pattern, version: 0, existed, atMs });
    ledger.registrationVersion = version;
    return version;
  }

  /**
   * Whether a call may go on here: the ledger; a refusal; or undefined for a read of a shard that was never written to. It waits only
   * where this shard has to ask the home shard: at its first write, when the space was made anew, and for newer registrations.
   */
  async #admit(request: CallScope, intent: "read" | "write"): Promise<Ledger | Refusal | undefined> {
    let ledger = this.#open();
    if (request.shard === 0) return this.#stillAdmitted(request);
    if (ledger !== undefined && ledger.space.id !== request.spaceId) {
      const home = await this.#options.home(request.space).getSpace(request.space);
      if (!isRefusal(home) && home.space.id === ledger.space.id) return stale();
      // The space that this shard belonged to is gone: what is here is its remains.
      await this.#wipe();
      ledger = undefined;
    }
    if (ledger === undefined) {
      if (intent === "read") return undefined;
      const home = await this.#options.home(request.space).getSpace(request.space);
      if (isRefusal(home)) return home;
      if (home.space.id !== request.spaceId) return stale();
      ledger = await this.#commit.submit(() => this.#open() ?? this.#found(home.space));
    }
    if (intent === "write" && request.registrations > ledger.registrationVersion) {
      const home = await this.#options.home(request.space).getRegistrations({ ...request, shard: 0 });
      if (isRefusal(home)) return home;
      await this.#commit.submit(() => {
        const now = this.#open();
        if (now === undefined || home.registrations <= now.registrationVersion) return;
        now.registrations.replaceAll(home.list);
        now.registrationVersion = home.registrations;
      });
    }
    return this.#stillAdmitted(request);
  }

  /** The check that needs no waiting, made again inside the commit: a space may be deleted while a call is queued. */
  #stillAdmitted(request: CallScope): Ledger | Refusal {
    const ledger = this.#open();
    if (ledger === undefined) return request.spaceId === undefined ? notFound() : stale();
    if (ledger.deleting) return deleting();
    return ledger.space.id === request.spaceId ? ledger : stale();
  }

  #open(): Ledger | undefined {
    if (this.#ledger === undefined && schemaVersion(this.#options.sql) > 0) {
      const space = new Meta(this.#options.sql).space;
      if (space !== undefined) this.#ledger = new Ledger(this.#options.sql, space, this.#options);
    }
    return this.#ledger;
  }

  /** Makes this shard a part of `space`, inside a commit. */
  #found(space: SpaceSettings): Ledger {
    migrate(this.#options.sql);
    const meta = new Meta(this.#options.sql);
    meta.epoch = randomHex(this.#options.random, 8);
    meta.space = space;
    this.#ledger = new Ledger(this.#options.sql, space, this.#options);
    return this.#ledger;
  }

  #forget(): void {
    this.#ledger?.alarms.forget();
    this.#ledger = undefined;
  }

  async #wipe(): Promise<void> {
    this.#forget();
    await this.#options.wipe();
    this.#forget();
  }

  /** Before a read: keys whose end has come are gone for it, and the log says so. Gives the time that the read works with. */
  #expireForRead(ledger: Ledger): number {
    const nowMs = this.#options.clock.now();
    const due = ledger.keys.nextExpiryMs;
    if (due !== undefined && due <= nowMs) {
      try {
        this.#transaction(() => undefined);
      } catch (cause) {
        this.#forget();
        throw new WarpError("storage_unavailable", "the storage refused a write", { cause });
      }
    }
    return nowMs;
  }

  /** Every transaction first expires what is due, and last trims the log and sets the alarm. */
  #transaction<T>(work: () => T): T {
    return this.#options.sql.transaction(() => {
      const nowMs = this.#options.clock.now();
      this.#open()?.expireDue(nowMs);
      const result = work();
      const ledger = this.#ledger;
      ledger?.trimCount(nowMs);
      ledger?.alarms.arm();
      return result;
    });
  }

  /**
   * A node has seen a revision of this epoch that the log has not reached: the storage went back in time, so revisions would be given
   * twice. A new epoch makes every version and position from before it void.
   */
  async #newLife(): Promise<ChangesReply> {
    return await this.#commit.submit(() => {
      new Meta(this.#options.sql).epoch = randomHex(this.#options.random, 8);
      this.#forget();
      const ledger = this.#open();
      const stamp = ledger?.stamp() ?? unwritten;
      return { ...stamp, changes: [], to: stamp.asOf, gap: "epoch" as const };
    });
  }
}

function refuse(error: WarpError, isStale?: true): Refusal {
  return isStale ? { refused: error.toData(), stale: true } : { refused: error.toData() };
}

function notFound(): Refusal {
  return refuse(
    new WarpError("space_not_found", "the space does not exist; its first write or PUT creates it"),
  );
}

function deleting(): Refusal {
  return refuse(new WarpError("space_deleting", "the space is being deleted", { retryAfterMs: 1_000 }));
}

function stale(): Refusal {
  return refuse(
    new WarpError("unavailable", "the space was deleted and made again meanwhile", { retryAfterMs: 0 }),
    true,
  );
}

/** A definite refusal thrown inside a commit becomes an answer: it must not undo the group it shares. */
function refusing<T>(work: () => T): T | Refusal {
  try {
    return work();
  } catch (error) {
    if (error instanceof WarpError) return refuse(error);
    throw error;
  }
}
