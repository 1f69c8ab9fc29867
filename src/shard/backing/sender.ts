import type { BackingChange, BackingPosition, BackingVerdict } from "../../backing/backing.ts";
import { WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import {
  backingTimeoutMs,
  maxBackingChanges,
  maxBackingRetryMs,
  minBackingRetryMs,
} from "../../runtime/backing-limits.ts";
import { fraction } from "../../runtime/random.ts";
import type { DueSource } from "../alarms.ts";
import type { Ledger } from "../ledger.ts";
import { Binding } from "./binding.ts";
import type { OutboxCount } from "./outbox-count.ts";
import type { Mark, Refill } from "./storage-mark.ts";
import { ledgerOf, type StorageParts } from "./storage-parts.ts";
import type { StorageWaits } from "./storage-waits.ts";

/** When the alarm looks after what waits, if this instance did not carry it on. */
const lookAfterMs = 2_000;

/** What goes to the storage next. */
interface Batch {
  readonly mark: Mark;
  readonly changes: readonly BackingChange[];
  readonly refill: Refill | undefined;
  /** The log's revisions that are there as wholes when it is. */
  readonly wholeTo: number;
}

/** Carries the outbox to the storage: one batch at a time, oldest first, each only when its commits are durable. */
export class Sender {
  readonly binding: Binding;
  readonly #parts: StorageParts;
  readonly #count: OutboxCount;
  readonly #waits: StorageWaits;
  readonly #told: () => void;
  /** Where batches end that this instance has sent, and not heard of. */
  readonly #tried = new Set<string>();
  #maxChanges = maxBackingChanges;
  #step: Promise<boolean> | undefined;
  #isWoken = false;
  #isRefilling = false;
  #failures = 0;
  #error: WarpError | undefined;
  #retryAtMs: number | undefined;
  #lookAtMs: number | undefined;
  #isEnded = false;

  /** `confirmed`: told when the storage is noted to have more. */
  constructor(
    parts: StorageParts,
    count: OutboxCount,
    waits: StorageWaits,
    confirmed: () => void = () => {},
  ) {
    this.#told = confirmed;
    this.#parts = parts;
    this.#count = count;
    this.#waits = waits;
    this.binding = new Binding(parts);
  }

  /** Why the last attempt failed; undefined: it did not. */
  get error(): WarpError | undefined {
    return this.#error;
  }

  readonly due: DueSource = {
    nextMs: () => {
      const { table, clock } = this.#parts;
      if (this.#isEnded || ledgerOf(this.#parts) === undefined) return undefined;
      if (this.#retryAtMs !== undefined) return this.#retryAtMs;
      if (!this.#isRefilling && table.first() === undefined) this.#lookAtMs = undefined;
      else this.#lookAtMs ??= clock.now() + lookAfterMs;
      return this.#lookAtMs;
    },
    run: (nowMs) => {
      this.#retryAtMs = undefined;
      this.#lookAtMs = nowMs + lookAfterMs;
      this.#begin();
    },
  };

  /** Something may be there to be sent: looks for it behind what is under way. */
  wake(): void {
    if (this.#isWoken) return;
    this.#isWoken = true;
    if (this.#step === undefined) this.#parts.timers.after(0, () => this.#begin());
  }

  /** Something is asked of the shard: what should have been tried again by now is, should its alarm be late or lost. */
  nudge(): void {
    if (this.#retryAtMs !== undefined && this.#parts.clock.now() >= this.#retryAtMs) this.#begin();
  }

  /** Settles when the batch that is under way has ended. */
  async idle(): Promise<void> {
    await this.#step;
  }

  end(): void {
    this.#isEnded = true;
  }

  #begin(): void {
    if (this.#step === undefined) void this.#run();
  }

  async #run(): Promise<void> {
    do {
      this.#isWoken = false;
      this.#step = this.#once();
    } while ((await this.#step) || this.#isWoken);
    this.#step = undefined;
  }

  /** One step; gives whether there may be another. */
  async #once(): Promise<boolean> {
    // Not in the stretch of whoever woke it: that may be a commit.
    await undefined;
    if (this.#isEnded || this.#parts.clock.now() < (this.#retryAtMs ?? 0)) return false;
    try {
      const isMore = await this.#carry();
      this.#failures = 0;
      this.#error = undefined;
      this.#retryAtMs = undefined;
      return isMore && !this.#isEnded;
    } catch (error) {
      if (!this.#isEnded) this.#failed(error);
      return false;
    }
  }

  async #carry(): Promise<boolean> {
    const { published, backing, table } = this.#parts;
    const ledger = ledgerOf(this.#parts);
    const durable = published.position;
    if (ledger === undefined || durable?.epoch !== ledger.epoch) return false;
    const mark = this.#parts.mark.read();
    this.#isRefilling = mark?.refill !== undefined;
    if (mark?.position.epoch !== ledger.epoch) {
      const shard = mark?.shard ?? this.#shard(ledger);
      if (shard === undefined) return false;
      await this.binding.bind(ledger, mark, shard);
      this.#moved();
      return true;
    }
    if (await this.binding.outrun(ledger, mark)) return true;
    const batch = this.#next(mark, durable.revision);
    if (batch === undefined) return false;
    const { changes } = batch;
    const last = changes.at(-1);
    if (last === undefined) {
      await this.#confirm(batch, mark.position);
      return true;
    }
    const { shard, position: after } = mark;
    const position = { epoch: after.epoch, revision: last.revision, seq: last.seq };
    const isTried = this.#isTried(position);
    this.#tried.add(nameOf(position));
    let verdict: BackingVerdict;
    try {
      verdict = await backing.apply({ shard, after, changes }, { timeoutMs: backingTimeoutMs });
    } catch (error) {
      if (!(error instanceof WarpError) || error.code !== "batch_too_large" || changes.length === 1)
        throw error;
      this.#maxChanges = changes.length >> 1;
      return true;
    }
    if (this.#isEnded) return false;
    if (verdict.state === "elsewhere") {
      const { found } = verdict;
      await this.binding.elsewhere(ledger, mark, found, found !== null && this.#isTried(found));
      this.#moved();
      return true;
    }
    if (verdict.state === "repeated") {
      if (!isTried && mark.refill === undefined && !(await this.binding.proves(position))) {
        await this.binding.renew(after.epoch);
        return true;
      }
    }
    this.#maxChanges = maxBackingChanges;
    this.#waits.confirmed(batch.wholeTo);
    await this.#confirm(batch, position);
    this.#tried.clear();
    this.#isRefilling = batch.refill !== undefined;
    return this.#isRefilling || table.first() !== undefined;
  }

  #isTried(position: BackingPosition): boolean {
    return this.#tried.has(nameOf(position));
  }

  #next(mark: Mark, durable: number): Batch | undefined {
    const { table, refills, backing } = this.#parts;
    const limits = { changes: this.#maxChanges, bytes: backing.maxBatchBytes };
    const { position, refill } = mark;
    const first = table.first();
    // Keys have their places behind all of their revision: what waits of it goes before them.
    const isFirst = refill?.from === "keys" && first?.revision === position.revision;
    if (refill !== undefined && !isFirst) {
      const { changes, next } = refills.page(mark, first, durable, limits);
      return { mark, changes, refill: next, wholeTo: 0 };
    }
    const page = table.page(isFirst ? position.revision : durable, limits);
    return page.changes.length === 0 ? undefined : { mark, ...page, refill };
  }

  /** Notes how far the storage is, and lets go of what it has. */
  async #confirm({ mark, refill }: Batch, position: BackingPosition): Promise<void> {
    const { commit, table } = this.#parts;
    this.#count.totals(this.#parts.residence.open()?.log.head ?? 0);
    const removed = await commit.submit(() => {
      if (ledgerOf(this.#parts)?.epoch !== position.epoch) return undefined;
      this.#parts.mark.write({ shard: mark.shard, position, ...(refill && { refill }) });
      return table.removeTo(position);
    });
    if (removed !== undefined) this.#count.removed(removed);
    this.#told();
  }

  #moved(): void {
    this.#count.forget();
    this.#waits.moved();
  }

  /** This shard's number: nobody tells it, but its keys do. */
  #shard({ space }: Ledger): number | undefined {
    const key = this.#parts.table.firstKey();
    return key === undefined ? undefined : shardOf(key, space.shards);
  }

  #failed(thrown: unknown): void {
    const { clock, random, residence } = this.#parts;
    const error = WarpError.from(thrown, "storage_unavailable", "the storage could not be written");
    this.#error = error;
    const longest = error.retryable
      ? minBackingRetryMs * 2 ** Math.min(this.#failures++, 20)
      : maxBackingRetryMs;
    const waitMs = Math.min(longest, maxBackingRetryMs) * (0.5 + fraction(random) / 2);
    this.#retryAtMs = clock.now() + Math.max(waitMs, minBackingRetryMs);
    try {
      this.#moved();
      if (!error.retryable) this.#waits.end();
      residence.open()?.alarms.arm();
    } catch (cause) {
      // A database that can't be read any more ends this instance; the next one looks for itself.
      this.#error = WarpError.from(cause, "storage_unavailable", "the shard's own storage can't be read");
    }
  }
}

function nameOf({ epoch, revision, seq }: BackingPosition): string {
  return `${epoch}.${revision}.${seq}`;
}
