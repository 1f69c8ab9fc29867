import type { CallScope, Refusal, SpaceOptionsData } from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import { randomHex } from "../runtime/ids.ts";
import type { Random } from "../runtime/random.ts";
import type { Sql } from "../runtime/sql.ts";
import { Ledger, type LedgerOptions } from "./ledger.ts";
import { Meta } from "./meta.ts";
import { deleting, notFound, stale } from "./refusal.ts";
import { migrate, schemaVersion } from "./schema.ts";

/** What a {@link Residence} is made of. */
export interface ResidenceOptions extends LedgerOptions {
  readonly sql: Sql;
  readonly random: Random;
  /** What the space is made with where its maker does not say. Default: nothing stands behind or around its shards. */
  readonly spaceDefaults?: Partial<SpaceOptionsData>;
  /** Removes the whole database and its alarm. */
  readonly wipe: () => Promise<void>;
  /** Told when that is done. */
  readonly wiped?: () => void;
}

/**
 * To which space this shard belongs, if to any, and its ledger. A shard belongs to none until its first write: looking at it
 * writes nothing.
 */
export class Residence {
  readonly #options: ResidenceOptions;
  #ledger: Ledger | undefined;
  #wipes = 0;

  constructor(options: ResidenceOptions) {
    this.#options = options;
    if (schemaVersion(options.sql) > 0) migrate(options.sql);
  }

  /** The ledger, opened on the database if need be; undefined: the shard belongs to no space. */
  open(): Ledger | undefined {
    if (this.#ledger === undefined && schemaVersion(this.#options.sql) > 0) {
      const space = new Meta(this.#options.sql).space;
      if (space !== undefined) this.#ledger = new Ledger(this.#options.sql, space, this.#options);
    }
    return this.#ledger;
  }

  /** Makes this shard a part of `space`, inside a commit. */
  found(space: SpaceSettings, shard = 0): Ledger {
    migrate(this.#options.sql);
    const meta = new Meta(this.#options.sql);
    meta.epoch = randomHex(this.#options.random, 8);
    meta.space = space;
    meta.shard = shard;
    this.#ledger = new Ledger(this.#options.sql, space, this.#options);
    return this.#ledger;
  }

  /** Begins a new epoch, inside a commit. */
  renew(): Ledger | undefined {
    this.open()?.settle(this.#options.clock.now());
    new Meta(this.#options.sql).epoch = randomHex(this.#options.random, 8);
    this.forget();
    return this.open();
  }

  /** Tells what `work` would give, and undoes it. Only inside a transaction. Ledgers that were opened before it are not to be used after it. */
  trial<T>(work: () => T): T {
    return this.attempt(work, () => false).result;
  }

  /** Does `work`, and undoes it unless `keep` says yes to what it gave. Only inside a transaction; as for {@link trial}. */
  attempt<T>(work: () => T, keep: (result: T) => boolean): { readonly result: T; readonly kept: boolean } {
    const { sql } = this.#options;
    // What is not written yet would be lost with the ledger.
    this.open()?.settle(this.#options.clock.now());
    const counted = this.open()?.keys.counted;
    const undone = { result: undefined as T };
    try {
      return sql.transaction(() => {
        const result = work();
        if (keep(result)) return { result, kept: true };
        undone.result = result;
        throw undone;
      });
    } catch (thrown) {
      if (thrown !== undone) throw thrown;
    }
    const before = this.#ledger;
    if (before !== undefined) {
      this.#ledger = new Ledger(sql, before.space, this.#options, before);
      this.#ledger.keys.counted = counted;
    }
    return { result: undone.result, kept: false };
  }

  /** What was read from the database must be read again: a transaction was undone. */
  forget(): void {
    this.#ledger?.alarms.forget();
    this.#ledger = undefined;
  }

  /** Grows with each {@link wipe}: what was learned about this shard before one says nothing after it. */
  get wipes(): number {
    return this.#wipes;
  }

  /** Removes everything. */
  async wipe(): Promise<void> {
    this.#wipes++;
    this.forget();
    await this.#options.wipe();
    this.forget();
    this.#options.lockInstance?.wiped();
    this.#options.leaseTimes?.clear();
    this.#options.wiped?.();
  }

  /** The ledger for a call that belongs here, or why it doesn't. Asked again inside the commit: a space may be deleted meanwhile. */
  admit(request: CallScope): Ledger | Refusal {
    const ledger = this.open();
    if (ledger === undefined) return request.spaceId === undefined ? notFound() : stale();
    if (ledger.deleting) return deleting(ledger.space);
    return ledger.space.id === request.spaceId ? ledger : stale();
  }

  /** Every transaction first expires what is due, and last trims the log and sets the alarm. */
  transaction<T>(work: () => T): T {
    const { sql, clock, lockInstance } = this.#options;
    try {
      const result = sql.transaction(() => {
        const nowMs = clock.now();
        this.open()?.enter(nowMs);
        const result = work();
        const ledger = this.#ledger;
        ledger?.trimLog(nowMs);
        ledger?.settle(nowMs);
        ledger?.alarms.arm();
        return result;
      });
      lockInstance?.committed();
      return result;
    } catch (error) {
      lockInstance?.undone();
      throw error;
    }
  }
}
