import { WarpError } from "../errors.ts";
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
import { refuse, refusing } from "./refusal.ts";
import { Residence, type ResidenceOptions } from "./residence.ts";
import { SpaceCalls } from "./space-calls.ts";

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
  readonly #space: SpaceCalls;
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
    this.#space = new SpaceCalls(options, this.#residence, this.#commit, this.#admission);
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

  getSpace(space: string): Promise<SpaceReply | Refusal> {
    return this.#space.getSpace(space);
  }

  createSpace(
    space: string,
    options: Partial<SpaceOptionsData>,
  ): Promise<(SpaceReply & { created: boolean }) | Refusal> {
    return this.#space.createSpace(space, options);
  }

  async deleteSpace(
    space: string,
    step: "begin" | "finish",
    spaceId?: string,
  ): ReturnType<ShardApi["deleteSpace"]> {
    const reply = await this.#space.deleteSpace(space, step, spaceId);
    if (step === "finish") this.#claims.clear();
    return reply;
  }

  getRegistrations(request: CallScope): Promise<RegistrationsReply | Refusal> {
    return this.#space.getRegistrations(request);
  }

  register(request: RegisterRequest): Promise<RegisterReply | Refusal> {
    return this.#space.register(request);
  }

  unregister(request: UnregisterRequest): ReturnType<ShardApi["unregister"]> {
    return this.#space.unregister(request);
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
