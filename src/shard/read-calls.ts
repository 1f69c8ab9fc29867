import { WarpError } from "../errors.ts";
import {
  type CallScope,
  type ChangesReply,
  type ChangesRequest,
  type HistoryReply,
  type HistoryRequest,
  isRefusal,
  type ListReply,
  type ListRequest,
  type ReadReply,
  type ReadRequest,
  type Refusal,
  type ShardApi,
  type StoredEntry,
  type UsageReply,
  type VersionReply,
  type VersionRequest,
} from "../protocol/shard-api.ts";
import { checkHistoryPage, checkWhich } from "../protocol/versions.ts";
import type { Clock } from "../runtime/clock.ts";
import { maxChangesLimit, maxListBytes, maxReplyBytes } from "../runtime/limits.ts";
import type { Admission } from "./admission.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Ledger } from "./ledger.ts";
import { gone, refuse, refusing } from "./refusal.ts";
import type { Residence } from "./residence.ts";
import type { Strong } from "./strong/strong.ts";
import { lacking, type Supply, supplied, valuesOf } from "./supply.ts";
import { unwritten, unwrittenEpoch } from "./unwritten.ts";

/** What reads are made of. */
export interface ReadCallsOptions {
  readonly clock: Clock;
  /** Bytes that the database takes. */
  readonly databaseBytes: () => number;
  /** Told when a read has ended keys whose end had come. */
  readonly expired?: () => void;
}

/** Commits that a strong read waits for at most, one after the other: each may have taken too long to prove anything. */
const maxTries = 5;

/** The calls that only look: values, lists, the log, versions. */
export class ReadCalls
  implements Pick<ShardApi, "read" | "list" | "changes" | "usage" | "readVersion" | "history">
{
  readonly #options: ReadCallsOptions;
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #admission: Admission;
  readonly #strong: Strong;

  constructor(
    options: ReadCallsOptions,
    residence: Residence,
    commit: GroupCommit,
    admission: Admission,
    strong: Strong,
  ) {
    this.#options = options;
    this.#residence = residence;
    this.#commit = commit;
    this.#admission = admission;
    this.#strong = strong;
  }

  async read(request: ReadRequest, session?: string): Promise<ReadReply | Refusal> {
    if (request.strong || request.hold) return await this.#readStrongly(request, session);
    const admitted = await this.#admission.admit(request, "read");
    if (admitted === undefined) return { ...unwritten, entries: request.keys.map(() => null) };
    return await this.#supplied(request, admitted, (ledger, supply) => {
      if (supply?.has(ledger, valuesOf(request.keys)) === false) return lacking;
      return this.#entries(request, ledger);
    });
  }

  /** Only when what a successor must know is durable, and not long ago (rule ST5). */
  async #readStrongly(request: ReadRequest, session: string | undefined): Promise<ReadReply | Refusal> {
    const call: { supply?: Supply | undefined } = {};
    try {
      return await this.#answerStrongly(request, session, call);
    } finally {
      call.supply?.end();
    }
  }

  async #answerStrongly(
    request: ReadRequest,
    session: string | undefined,
    call: { supply?: Supply | undefined },
  ): Promise<ReadReply | Refusal> {
    const strong = this.#strong;
    for (let tries = 0; tries < maxTries; tries++) {
      // As a write is admitted: an answer that nothing has changed is as binding for a shard that was never written to.
      const ledger = this.#present(request, await this.#admission.admit(request, "write"));
      if (ledger === undefined || isRefusal(ledger)) return ledger ?? gone();
      // Only now: what works with the storage is loaded when the first call is let in.
      call.supply ??= this.#admission.behind.present?.begin();
      const { supply } = call;
      if (supply?.has(ledger, valuesOf(request.keys)) === false) {
        const refused = await supply.bring();
        if (refused !== undefined) return refused;
        tries--;
        continue;
      }
      const patterns = request.keys.map((key) => ledger.registrations.patternOf(key) ?? "*");
      const holder = request.hold && session !== undefined && strong.mayHold(session) ? session : undefined;
      const use = holder === undefined ? "read" : "hold";
      if (strong.standing.holds(patterns, use)) {
        const reply = this.#entries(request, ledger);
        if (holder === undefined) return reply;
        const held = reply.entries.flatMap((entry, at) => {
          // A key with an end changes without anyone's write, so nobody holds it.
          if (entry === null || entry.expiresInMs !== undefined) return [];
          return strong.permit(holder, entry.key, patterns[at] ?? "*", entry.tags) ? [at] : [];
        });
        return held.length === 0 ? reply : { ...reply, held };
      }
      await strong.standing.establish(patterns, use);
    }
    return refuse(
      new WarpError("storage_timeout", "the storage is too slow to answer strongly", { retryAfterMs: 100 }),
    );
  }

  /**
   * The ledger of this very stretch. The one that was admitted may be another by now: its place was taken when something was undone (a trial of a strong
   * write, say), and it may know of positions that the log never reached.
   */
  #present<A extends Ledger | Refusal | undefined>(request: CallScope, admitted: A): A | Ledger | Refusal {
    return admitted === undefined || isRefusal(admitted) ? admitted : this.#residence.admit(request);
  }

  /** An answer of one stretch in which all is here that it needs. */
  async #supplied<R extends object>(
    request: CallScope,
    admitted: Ledger | Refusal,
    answer: (ledger: Ledger, supply: Supply | undefined) => R | Refusal | typeof lacking,
  ): Promise<R | Refusal> {
    if (isRefusal(admitted)) return admitted;
    return await supplied(this.#admission.behind.present?.begin(), (supply) => {
      const ledger = this.#present(request, admitted);
      return isRefusal(ledger) ? ledger : answer(ledger, supply);
    });
  }

  /** What is stored under the keys, in one stretch. */
  #entries(request: ReadRequest, ledger: Ledger): ReadReply {
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
    const admitted = await this.#admission.admit(request, "read");
    if (admitted === undefined) return { ...unwritten, items: [], more: false };
    if (isRefusal(admitted)) return admitted;
    const { prefix, after, limit, values, stored } = request;
    if (stored !== undefined) {
      const found = await this.#admission.behind.present?.stored(prefix, stored, limit);
      if (found !== undefined && isRefusal(found)) return found;
      const stamp = this.#residence.open()?.stamp() ?? unwritten;
      return { ...stamp, items: [], more: false, stored: found ?? { keys: [] } };
    }
    return await this.#supplied(request, admitted, (ledger, supply) => {
      const nowMs = this.#expireForRead(ledger);
      const page = ledger.keys.list(prefix, after, limit, nowMs, values ? maxListBytes : undefined);
      const keys = values ? page.items.map(({ key }) => key) : [];
      if (supply?.has(ledger, valuesOf(keys)) === false) return lacking;
      return { ...ledger.stamp(), ...page };
    });
  }

  async changes(request: ChangesRequest): Promise<ChangesReply | Refusal> {
    const ledger = this.#present(request, await this.#admission.admit(request, "read"));
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
    const ledger = this.#present(request, await this.#admission.admit(request, "read"));
    if (ledger === undefined) {
      return { ...unwritten, keys: 0, valueBytes: 0, logEntries: 0, logFloor: 0, databaseBytes: 0 };
    }
    if (isRefusal(ledger)) return ledger;
    this.#expireForRead(ledger);
    const { log, keys } = ledger;
    const behind = this.#admission.behind.present;
    const followed = this.#admission.follow.usage;
    return {
      ...ledger.stamp(),
      ...keys.totals(),
      logEntries: log.entries,
      logFloor: log.floor,
      databaseBytes: this.#options.databaseBytes(),
      ...(behind && { outbox: behind.usage() }),
      ...(followed && { fallback: followed }),
    };
  }

  async readVersion(request: VersionRequest): Promise<VersionReply | Refusal> {
    const { key, which } = request;
    const admitted = await this.#admission.admit(request, "versions");
    if (admitted === undefined) {
      return refusing(() => {
        checkWhich(which, 0, this.#options.clock.now());
        return { ...unwritten, found: null };
      });
    }
    return await this.#supplied(request, admitted, (ledger, supply) =>
      refusing(() => {
        const nowMs = this.#expireForRead(ledger, key);
        const isPresent = supply !== undefined && ledger.history.isPresent(key, which, nowMs);
        if (isPresent && !supply.has(ledger, valuesOf([key]))) return lacking;
        return { ...ledger.stamp(), found: ledger.history.read(key, which, nowMs) };
      }),
    );
  }

  async history(request: HistoryRequest): Promise<HistoryReply | Refusal> {
    const ledger = this.#present(request, await this.#admission.admit(request, "versions"));
    if (ledger !== undefined && isRefusal(ledger)) return ledger;
    return refusing(() => {
      checkHistoryPage(request);
      if (ledger === undefined) return { ...unwritten, versions: [], more: false, floor: 1 };
      const nowMs = this.#expireForRead(ledger, request.key);
      return { ...ledger.stamp(), ...ledger.history.page(request, nowMs) };
    });
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
      this.#options.expired?.();
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
