import type { ErrorData } from "../errors.ts";
import { LockTable } from "../locking/lock-table.ts";
import { MergeRules } from "../merge/merge-rules.ts";
import type { LeaseEndAction } from "../protocol/lease.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
import type { ShardStamp } from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import type { Clock } from "../runtime/clock.ts";
import { maxHeldVerdictsMs } from "../runtime/fallback-limits.ts";
import { defaultLogMaxBytes, housekeepingChunk, opIdSkewMs, opIdWindowMs } from "../runtime/limits.ts";
import type { Sql } from "../runtime/sql.ts";
import { type AlarmPort, Alarms, type DueSource } from "./alarms.ts";
import { ChangeLog, type Retention } from "./change-log.ts";
import { EntryReader } from "./entry-reader.ts";
import { FenceTable } from "./fence-table.ts";
import { Fences } from "./fences.ts";
import type { Followed } from "./follow-mark.ts";
import { History } from "./history.ts";
import { HistoryTable } from "./history-table.ts";
import { KeyChanges } from "./key-changes.ts";
import { KeyTable } from "./key-table.ts";
import { AttachmentTable } from "./lease/attachment-table.ts";
import { type EndedKeys, endKeys } from "./lease/end-keys.ts";
import { LeaseTable } from "./lease/lease-table.ts";
import { Lessor } from "./lease/lessor.ts";
import { lockDue } from "./lock/lock-due.ts";
import { LockInstance } from "./lock/lock-instance.ts";
import { SqlLockStore } from "./lock/sql-lock-store.ts";
import { Meta } from "./meta.ts";
import { Mutator } from "./mutator.ts";
import { Outbox } from "./outbox.ts";
import { RegistrationTable } from "./registration-table.ts";
import { Resolver } from "./resolver.ts";
import { Intents } from "./strong/intents.ts";
import { Transactor } from "./transactor.ts";
import { VerdictTable } from "./verdict-table.ts";
import type { WitnessSlot } from "./witness.ts";

/** How long a verdict must be known: an op id may be that far ahead of the clock, and then counts for its window. */
const verdictLifeMs = opIdWindowMs + opIdSkewMs;

/** Settings of a {@link Ledger}. */
export interface LedgerOptions {
  readonly maxValueBytes: number;
  readonly logMaxEntries: number;
  readonly logMaxAgeMs: number;
  /** Bytes of values that log entries keep for those who watch. Default 64 MiB. */
  readonly logMaxBytes?: number;
  readonly statics: readonly StoredRegistration[];
  readonly alarm: AlarmPort;
  readonly clock: Clock;
  /** What else may become due and needs the alarm. */
  readonly due?: readonly DueSource[];
  /** In a space with a fallback: how far its stream is known. Default: nothing is, and no verdict is forgotten. */
  readonly followed?: Followed;
  /** Default: the built-in ones. */
  readonly merges?: MergeRules;
  /** Time as it passes. Default: `clock`. */
  readonly elapsed?: Clock;
  /** Told inside the commit in which a lease has ended; that is to be carried out then. Default: nobody does. */
  readonly leaseEnding?: (id: string, nowMs: number) => void;
  /** Default: one of its own. */
  readonly lockInstance?: LockInstance;
  /** When leases are due by elapsed time, by their ids, as far as this instance knows; it outlives the ledger. Default: one of its own. */
  readonly leaseTimes?: Map<string, number>;
  /** Who is told of changes of keys as they are made. Default: nobody. */
  readonly witness?: WitnessSlot;
}

/**
 * All that one shard keeps, opened on its database: the parts and what goes on between them. It lives from the moment the
 * shard belongs to a space until that is deleted or a transaction is undone; then it is opened anew.
 */
export class Ledger {
  readonly epoch: string;
  readonly space: SpaceSettings;
  readonly meta: Meta;
  readonly keys: KeyTable;
  readonly log: ChangeLog;
  readonly entries: EntryReader;
  readonly registrations: RegistrationTable;
  readonly history: History;
  readonly merges: MergeRules;
  readonly mutator: Mutator;
  readonly transactor: Transactor;
  readonly resolver: Resolver;
  readonly alarms: Alarms;
  readonly intents: Intents;
  readonly locks: LockTable;
  readonly verdicts: VerdictTable;
  readonly leases: Lessor;
  readonly changes: KeyChanges;
  readonly #lockInstance: LockInstance;
  readonly #lockDue: DueSource;
  readonly #retention: Retention;
  readonly #clock: Clock;
  readonly #followed: Followed | undefined;
  #registrationVersion: number;
  #deleting: boolean;

  /** `before`: the ledger that this one takes the place of, when what that one wrote last has been undone; its registrations stand. */
  constructor(sql: Sql, space: SpaceSettings, options: LedgerOptions, before?: Ledger) {
    this.meta = new Meta(sql);
    const { clock, elapsed = clock } = options;
    this.#clock = clock;
    this.#followed = space.fallback === undefined ? undefined : (options.followed ?? { seenMs: undefined });
    this.epoch = this.meta.epoch;
    this.space = space;
    this.#registrationVersion = this.meta.registrations;
    this.#deleting = this.meta.deleting;
    this.keys = new KeyTable(sql);
    this.log = new ChangeLog(sql, this.meta);
    this.entries = new EntryReader(sql);
    this.verdicts = new VerdictTable(sql, before?.verdicts);
    this.intents = new Intents(sql);
    this.registrations = before?.registrations ?? new RegistrationTable(sql, options.statics);
    const { keys, log, registrations, meta } = this;
    const table = new HistoryTable(sql);
    this.history = new History({ table, keys, log, registrations, meta }, clock.now(), space.createdAtMs);
    const instance = options.lockInstance ?? new LockInstance(clock, clock);
    const { deadlines, polls, swept } = instance;
    const store = new SqlLockStore({ sql, reserve: () => log.reserve(), floor: meta, deadlines });
    this.locks = new LockTable({ store, isAwaited: (ticket) => polls.has(ticket) });
    const fences = new Fences({ table: new FenceTable(sql), locks: this.locks, shards: space.shards });
    this.#lockInstance = instance;
    this.#lockDue = lockDue(this.locks, store, swept);
    this.leases = new Lessor({
      table: new LeaseTable(sql, clock, elapsed, before?.leases.table, options.leaseTimes),
      attachments: new AttachmentTable(sql, before?.leases.attachments),
      log,
      verdicts: this.verdicts,
      registrations,
      strict: space.strict,
      shards: space.shards,
      ending: options.leaseEnding ?? (() => {}),
    });
    this.changes = new KeyChanges(
      keys,
      log,
      this.history,
      fences,
      this.leases,
      space.storage && new Outbox(sql),
      options.witness ?? {},
    );
    this.merges = options.merges ?? new MergeRules();
    const parts = {
      epoch: this.epoch,
      strict: space.strict,
      maxValueBytes: options.maxValueBytes,
      keys,
      log,
      history: this.history,
      changes: this.changes,
      witness: options.witness ?? {},
      fences,
      leases: this.leases,
      verdicts: this.verdicts,
      registrations,
      merges: this.merges,
    };
    this.mutator = new Mutator(parts);
    this.transactor = new Transactor(parts);
    this.resolver = new Resolver(this.verdicts);
    this.#retention = {
      maxEntries: options.logMaxEntries,
      maxAgeMs: options.logMaxAgeMs,
      minAgeMs: verdictLifeMs,
      maxValueBytes: options.logMaxBytes ?? defaultLogMaxBytes,
    };
    this.alarms = new Alarms(options.alarm, [...this.#sources(), ...(options.due ?? [])], before?.alarms);
  }

  /** What stands on every answer, as of now. */
  stamp(): ShardStamp {
    return { epoch: this.epoch, asOf: this.log.head, registrations: this.#registrationVersion };
  }

  get registrationVersion(): number {
    return this.#registrationVersion;
  }

  set registrationVersion(value: number) {
    this.meta.registrations = value;
    this.#registrationVersion = value;
  }

  get deleting(): boolean {
    return this.#deleting;
  }

  markDeleting(): void {
    this.meta.deleting = true;
    this.#deleting = true;
  }

  /** Whether the verdict of an operation is known. */
  knows(opId: string): boolean {
    return this.verdicts.find(opId) !== undefined;
  }

  /** Remembers the refusal of an operation. */
  keepRefusal(opId: string, print: string, error: ErrorData, nowMs: number): void {
    this.verdicts.keep(opId, nowMs, { print, verdict: { outcome: "fail", error } });
  }

  /** The first of each transaction: what is due comes before what is asked. */
  enter(nowMs: number): void {
    this.expireDue(nowMs);
    this.#lockInstance.enter(this, nowMs);
  }

  /** The last of each transaction, and before another ledger takes this one's place: what was put off until then is written. */
  settle(nowMs: number): void {
    this.history.settle();
    this.#lockInstance.leave(this, nowMs);
    this.log.settle();
  }

  /** Carries the end of a lease out for some of its keys: see {@link endKeys}. */
  endOfLease(lease: string, onEnd: LeaseEndAction, ended: readonly string[], nowMs: number): EndedKeys {
    const { keys } = this;
    return endKeys(
      { keys, changes: this.changes, attachments: this.leases.attachments },
      lease,
      onEnd,
      ended,
      nowMs,
    );
  }

  /** Ends keys whose end has come, a bounded number of them. */
  expireDue(nowMs: number): void {
    if ((this.keys.nextExpiryMs ?? Number.POSITIVE_INFINITY) > nowMs) return;
    const due = this.keys.due(nowMs, housekeepingChunk);
    for (const { key, state } of due) this.changes.expire(key, state, nowMs);
    // Also where nothing was: the key that was to end may have been changed since, and what is due once would be due for ever.
    this.keys.measureExpiry();
  }

  /** Ends `key` if its end has come, also where more are due than one stretch takes. */
  expireKey(key: string, nowMs: number): void {
    const state = this.keys.state(key, nowMs);
    if (state?.due) this.changes.expire(key, state, nowMs);
  }

  /** Tells the history that registrations have changed; `moved` as their table said. */
  registered(moved: boolean): void {
    this.history.registered(moved, this.log.timeOf(this.#clock.now()));
  }

  /** Keeps the log within its bounds; called with each commit, it works in chunks, so that no commit grows long. */
  trimLog(nowMs: number): void {
    this.log.trimValues(this.#retention, nowMs, housekeepingChunk);
    if (this.log.entries > this.#retention.maxEntries + housekeepingChunk) {
      this.log.trim(this.#retention, nowMs, housekeepingChunk * 2, this.#verdictsMs(nowMs));
    }
  }

  /** The time by which verdicts are old: what may yet come as a proposal must be known until then. */
  #verdictsMs(nowMs: number): number {
    if (this.#followed === undefined) return nowMs;
    return Math.min(nowMs, Math.max(this.#followed.seenMs ?? 0, nowMs - maxHeldVerdictsMs));
  }

  /** A due time, `afterMs` after the oldest; undefined while that has to stay. Who follows the stream sets the alarm when it has not. */
  #unheld(dueMs: number | undefined, afterMs: number): number | undefined {
    if (dueMs === undefined || this.#followed === undefined) return dueMs;
    return dueMs - afterMs + verdictLifeMs <= this.#verdictsMs(this.#clock.now()) ? dueMs : undefined;
  }

  #sources(): DueSource[] {
    return [
      { nextMs: () => this.keys.nextExpiryMs, run: (nowMs) => this.expireDue(nowMs) },
      this.history,
      this.#lockDue,
      ...this.leases.due,
      {
        nextMs: () =>
          this.#unheld(
            this.log.trimDueMs(this.#retention),
            Math.max(this.#retention.maxAgeMs, verdictLifeMs),
          ),
        run: (nowMs) => this.log.trim(this.#retention, nowMs, housekeepingChunk, this.#verdictsMs(nowMs)),
      },
      {
        nextMs: () => {
          const oldest = this.verdicts.oldestAtMs;
          return this.#unheld(oldest === undefined ? undefined : oldest + verdictLifeMs + 1, verdictLifeMs);
        },
        run: (nowMs) => this.verdicts.trim(this.#verdictsMs(nowMs) - verdictLifeMs),
      },
    ];
  }
}
