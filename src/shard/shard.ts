import { WarpError } from "../errors.ts";
import { checkPattern, checkSpace } from "../protocol/key.ts";
import { LoadClaims } from "../protocol/load-claims.ts";
import { endsClaims } from "../protocol/mutation.ts";
import {
  type CallScope,
  type ChangesReply,
  type ChangesRequest,
  type ClaimReply,
  type ClaimRequest,
  type HistoryReply,
  type HistoryRequest,
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
  type VersionReply,
  type VersionRequest,
} from "../protocol/shard-api.ts";
import { checkHistoryPage, checkWhich } from "../protocol/versions.ts";
import type { Timers } from "../runtime/clock.ts";
import { maxChangesLimit, maxGroupMutations, maxListBytes, maxReplyBytes } from "../runtime/limits.ts";
import { Admission, type Home } from "./admission.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Ledger } from "./ledger.ts";
import { deleting, notFound, refuse, refusing } from "./refusal.ts";
import { Residence, type ResidenceOptions } from "./residence.ts";
import { newSpace, spaceConflict } from "./space.ts";

/** What a shard is made of. */
export interface ShardOptions extends ResidenceOptions {
  /** Settles when all that was written is durable. */
  readonly durable: () => Promise<void>;
  /** Bytes that the database takes. */
  readonly databaseBytes: () => number;
  readonly home: (space: string) => Home;
  /** For those who wait for another's load. */
  readonly timers: Timers;
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
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #admission: Admission;
  readonly #claims: LoadClaims;

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#residence = new Residence(options);
    this.#commit = new GroupCommit(
      {
        transaction: (work) => this.#residence.transaction(work),
        durable: options.durable,
        undone: () => this.#residence.forget(),
      },
      { grouping: options.groupCommit ?? true, maxWeight: maxGroupMutations },
    );
    this.#admission = new Admission(this.#residence, this.#commit, options.home);
    this.#claims = new LoadClaims(options.clock, options.timers);
  }

  async read(request: ReadRequest): Promise<ReadReply | Refusal> {
    const ledger = await this.#admission.admit(request, "read");
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
    const ledger = await this.#admission.admit(request, "read");
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
    const ledger = await this.#admission.admit(request, "read");
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
    const ledger = await this.#admission.admit(request, "read");
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
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const reply = await this.#commit.submit(() => {
      const ledger = this.#residence.admit(request);
      if (isRefusal(ledger)) return ledger;
      const nowMs = this.#options.clock.now();
      const verdicts = request.mutations.map((mutation) => ledger.mutator.apply(mutation, nowMs));
      return { ...ledger.stamp(), verdicts };
    }, request.mutations.length);
    if (!isRefusal(reply)) this.#endClaims(request, reply);
    return reply;
  }

  async readVersion(request: VersionRequest): Promise<VersionReply | Refusal> {
    const { key, which } = request;
    const ledger = await this.#admission.admit(request, "versions");
    if (ledger !== undefined && isRefusal(ledger)) return ledger;
    return refusing(() => {
      if (ledger === undefined) {
        checkWhich(which, 0, this.#options.clock.now());
        return { ...unwritten, found: null };
      }
      const nowMs = this.#expireForRead(ledger, key);
      return { ...ledger.stamp(), found: ledger.history.read(key, which, nowMs) };
    });
  }

  async history(request: HistoryRequest): Promise<HistoryReply | Refusal> {
    const ledger = await this.#admission.admit(request, "versions");
    if (ledger !== undefined && isRefusal(ledger)) return ledger;
    return refusing(() => {
      checkHistoryPage(request);
      if (ledger === undefined) return { ...unwritten, versions: [], more: false, floor: 1 };
      const nowMs = this.#expireForRead(ledger, request.key);
      return { ...ledger.stamp(), ...ledger.history.page(request, nowMs) };
    });
  }

  async claimLoad(request: ClaimRequest): Promise<ClaimReply | Refusal> {
    const ledger = await this.#admission.admit(request, "read");
    if (ledger !== undefined && isRefusal(ledger)) return ledger;
    try {
      const claim = await this.#claims.claim(request);
      return { ...(this.#residence.open()?.stamp() ?? unwritten), claim };
    } catch (error) {
      if (error instanceof WarpError) return refuse(error);
      throw error;
    }
  }

  async getSpace(_space: string): Promise<SpaceReply | Refusal> {
    const ledger = this.#residence.open();
    if (ledger === undefined) return notFound();
    if (ledger.deleting) return deleting(ledger.space);
    return { space: ledger.space, registrations: ledger.registrationVersion };
  }

  async createSpace(
    space: string,
    options: Partial<SpaceOptionsData>,
  ): Promise<(SpaceReply & { created: boolean }) | Refusal> {
    return await this.#commit.submit(() =>
      refusing(() => {
        checkSpace(space);
        const present = this.#residence.open();
        if (present !== undefined) {
          if (present.deleting) return deleting(present.space);
          const conflict = spaceConflict(present.space, options);
          if (conflict !== undefined) throw conflict;
          return { space: present.space, registrations: present.registrationVersion, created: false };
        }
        const settings = newSpace(space, options, this.#options.random, this.#options.clock.now());
        this.#residence.found(settings);
        return { space: settings, registrations: 0, created: true };
      }),
    );
  }

  async deleteSpace(
    _space: string,
    step: "begin" | "finish",
    spaceId?: string,
  ): Promise<{ readonly deleted: boolean } | Refusal> {
    // A step of an earlier deletion that comes late must not end the space's next life.
    const isOther = (ledger: Ledger | undefined): boolean =>
      ledger !== undefined && spaceId !== undefined && ledger.space.id !== spaceId;
    if (step === "begin") {
      return await this.#commit.submit(() => {
        const ledger = this.#residence.open();
        if (ledger === undefined) return notFound();
        if (!isOther(ledger) && !ledger.deleting) ledger.markDeleting();
        return { deleted: false };
      });
    }
    const ledger = this.#residence.open();
    if (isOther(ledger)) return { deleted: false };
    const existed = ledger !== undefined;
    await this.#residence.wipe();
    this.#claims.clear();
    return { deleted: existed };
  }

  async getRegistrations(request: CallScope): Promise<RegistrationsReply | Refusal> {
    const ledger = await this.#admission.admit(request, "read");
    if (ledger === undefined) return notFound();
    if (isRefusal(ledger)) return ledger;
    return { registrations: ledger.registrationVersion, list: ledger.registrations.stored() };
  }

  async register(request: RegisterRequest): Promise<RegisterReply | Refusal> {
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    return await this.#commit.submit(() =>
      refusing(() => {
        const ledger = this.#residence.admit(request);
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
        ledger.registered(ledger.registrations.put(registration));
        return { registration, registrations: version, created: !existed };
      }),
    );
  }

  async unregister(
    request: UnregisterRequest,
  ): Promise<{ readonly removed: boolean; readonly registrations: number } | Refusal> {
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    return await this.#commit.submit(() =>
      refusing(() => {
        const ledger = this.#residence.admit(request);
        if (isRefusal(ledger)) return ledger;
        const removed = ledger.registrations.remove(request.pattern);
        if (removed) {
          this.#noteRegistration(ledger, request.pattern, true);
          ledger.registered(true);
        }
        return { removed, registrations: ledger.registrationVersion };
      }),
    );
  }

  /** The host's alarm went off: does what is due and sets it again. */
  async onAlarm(): Promise<void> {
    if (this.#residence.open() === undefined) return;
    await this.#commit.submit(() => this.#residence.open()?.alarms.ring(this.#options.clock.now()));
  }

  /** Commits since this shard woke, the calls in them, and the newest revision of its log. */
  get figures(): { readonly commits: number; readonly works: number; readonly logHead: number } {
    return { ...this.#commit.stats, logHead: this.#residence.open()?.log.head ?? 0 };
  }

  /** Only now, when it is durable: who waited for a load reads what it brought. */
  #endClaims({ mutations }: MutateRequest, { verdicts }: MutateReply): void {
    for (const [at, mutation] of mutations.entries()) {
      if (verdicts[at]?.outcome === "ok" && endsClaims(mutation)) this.#claims.end(mutation.key);
    }
  }

  #noteRegistration(ledger: Ledger, pattern: string, existed: boolean): number {
    const atMs = this.#options.clock.now();
    const version = ledger.log.append({ kind: "register", key: pattern, version: 0, existed, atMs });
    ledger.registrationVersion = version;
    return version;
  }

  /**
   * Before a read: keys whose end has come are gone for it, and the log says so; `key` in any case, others a bounded number. Gives
   * the time that the read works with.
   */
  #expireForRead(ledger: Ledger, key?: string): number {
    const nowMs = this.#options.clock.now();
    const due = ledger.keys.nextExpiryMs;
    if (due !== undefined && due <= nowMs) {
      try {
        this.#residence.transaction(() => {
          if (key !== undefined) ledger.expireKey(key, nowMs);
        });
      } catch (cause) {
        this.#residence.forget();
        throw new WarpError("storage_unavailable", "the storage refused a write", { cause });
      }
    }
    return nowMs;
  }

  /**
   * A node has seen a revision of this epoch that the log has not reached: the storage went back in time, so revisions would be given
   * twice. A new epoch makes every version and position from before it void.
   */
  async #newLife(): Promise<ChangesReply> {
    return await this.#commit.submit(() => {
      const ledger = this.#residence.renew();
      const stamp = ledger?.stamp() ?? unwritten;
      return { ...stamp, changes: [], to: stamp.asOf, gap: "epoch" as const };
    });
  }
}
