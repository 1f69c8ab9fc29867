import { WarpError } from "../../errors.ts";
import { LockTable } from "../../locking/lock-table.ts";
import { asOfNow } from "../../locking/replays.ts";
import type { LockCommand, LockVerdict } from "../../protocol/lock.ts";
import { checkLockCommand, lockPrint } from "../../protocol/lock-rules.ts";
import { type KnownOutcome, replayOf } from "../../protocol/outcomes.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import type { Timers } from "../../runtime/clock.ts";
import { fraction, type Random } from "../../runtime/random.ts";
import { lockRevisionBlock, maxLockDocumentBytes } from "../../runtime/upstash-limits.ts";
import type { CallBudget } from "../../upstash/call-budget.ts";
import type { Effect } from "../../upstash/upstash-redis.ts";
import { LoadedLockStore } from "./loaded-lock-store.ts";
import type { ChangedRows, LockDocument, LockDocuments, LocksRead } from "./lock-documents.ts";
import { encodeRows } from "./lock-rows.ts";

/** The longest wait before the second attempt to write what others have changed meanwhile, ms; it doubles with each, up to the last. */
const conflictBaseMs = 10;
const conflictCapMs = 320;

/** What a stretch works on: the locks of its names at one moment. */
export interface LocksNow {
  readonly table: LockTable;
  readonly nowMs: number;
  readonly epoch: string;
  /** The newest revision of the space. */
  readonly revision: number;
  readonly verdicts: ReadonlyMap<string, KnownOutcome>;
  /** Keeps the verdict of an op id. */
  keep(opId: string, known: KnownOutcome): void;
}

/** What a stretch is about. */
export interface Stretch {
  readonly names: readonly string[];
  readonly opIds?: readonly string[];
  /** Whether it takes revisions at once. A look does where it finds that something has to be written. */
  readonly writes: boolean;
  /** Whether it may make a document larger than it should be. Default true: what ends something must always be possible. */
  readonly isBounded?: boolean;
  /** A document of its only name that is known from before. */
  readonly known?: LockDocument | undefined;
}

/**
 * Locks in Redis under one lock table: what a call is about is read with Redis's time, the table does what it does in a shard, and what has become of it is written if nobody
 * has been faster; else all of it is done again.
 */
export class UpstashLockSpace {
  readonly #documents: LockDocuments;
  readonly #timers: Timers;
  readonly #random: Random;

  constructor(parts: {
    readonly documents: LockDocuments;
    readonly timers: Timers;
    readonly random: Random;
  }) {
    this.#documents = parts.documents;
    this.#timers = parts.timers;
    this.#random = parts.random;
  }

  /** Carries commands out, those of all names at one moment. */
  async run(commands: readonly LockCommand[], budget: CallBudget): Promise<readonly LockVerdict[]> {
    // A question about the present is no operation: it is never repeated, and leaves nothing behind.
    const isQuestion = commands.every(({ kind }) => kind === "confirm");
    const names = [...new Set(commands.map(({ name }) => name))];
    const opIds = [...new Set(commands.filter(({ kind }) => kind !== "confirm").map(({ opId }) => opId))];
    const { result } = await this.stretch(
      { names, opIds, writes: !isQuestion, isBounded: commands.some(({ kind }) => kind === "acquire") },
      (now) => {
        const fresh = new Map<string, KnownOutcome>();
        return commands.map((command) => runOne(command, now, fresh));
      },
      isQuestion ? "read" : "write",
      () => budget.next(),
    );
    return result;
  }

  /**
   * Does something with the locks of some names. `work` may be called several times, until what it leaves behind was written. Its effect `read`: to write it twice does no
   * harm, so that a lost answer is no loss.
   */
  async stretch<T>(
    { names, opIds, writes, known, isBounded = false }: Stretch,
    work: (now: LocksNow) => T,
    effect: Effect,
    limits: () => CallLimits,
  ): Promise<{ readonly result: T; readonly read: LocksRead }> {
    for (let tried = 1, revisions = writes ? lockRevisionBlock : 0; ; ) {
      const read = await this.#documents.read(
        { names, revisions, known, ...(opIds === undefined ? {} : { opIds }) },
        limits(),
      );
      const done = attempt(read, revisions, work);
      if (done === undefined) {
        revisions = Math.max(lockRevisionBlock, revisions * 32);
        continue;
      }
      const { result, changed, kept } = done;
      if (changed.size === 0 && kept.size === 0) return { result, read };
      if (isBounded) checkGrowth(read, changed);
      if (await this.#documents.write(read, changed, kept, effect, limits())) return { result, read };
      await this.#pause(tried++);
    }
  }

  async names(prefix: string, after: string, limit: number, limits: CallLimits): Promise<readonly string[]> {
    return await this.#documents.names(prefix, after, limit, limits);
  }

  /** The first time others were faster, nobody waits. */
  async #pause(tried: number): Promise<void> {
    if (tried === 1) return;
    const ms = Math.min(conflictCapMs, conflictBaseMs * 2 ** (tried - 2)) * fraction(this.#random);
    await new Promise<void>((resolve) => void this.#timers.after(ms, resolve, { awaited: true }));
  }
}

/** Stands for a stretch that needs more revisions than were taken for it. */
const exhausted = Symbol("exhausted");

/** Throws `overloaded` where a queue, with the values of those who stand in it, would get too long for a request. */
function checkGrowth({ documents }: LocksRead, changed: ReadonlyMap<string, ChangedRows>): void {
  for (const [name, { text }] of changed) {
    if (text.length <= maxLockDocumentBytes || text.length <= (documents.get(name)?.text.length ?? 0))
      continue;
    throw new WarpError(
      "overloaded",
      "what is known of the lock, values included, is as much as there may be",
      {
        details: { name, max: maxLockDocumentBytes },
      },
    );
  }
}

/** What a stretch comes to: the rows that have changed, and verdicts. Undefined: it takes more revisions. */
function attempt<T>(
  read: LocksRead,
  revisions: number,
  work: (now: LocksNow) => T,
):
  | {
      readonly result: T;
      readonly changed: Map<string, ChangedRows>;
      readonly kept: Map<string, KnownOutcome>;
    }
  | undefined {
  const { epoch, nowMs, revision, verdicts, documents } = read;
  // The first one is the version of what is written.
  let newest = revision + 1;
  const reserve = (): number => {
    if (++newest > revision + revisions) throw exhausted;
    return newest;
  };
  const loaded = [...documents].map(([name, { rows }]) => [name, rows] as const);
  const store = new LoadedLockStore(loaded, reserve);
  const table = new LockTable({ store, isAwaited: () => false });
  const kept = new Map<string, KnownOutcome>();
  try {
    while (table.expire(nowMs));
    const keep = (opId: string, known: KnownOutcome): void => void kept.set(opId, known);
    const result = work({ table, nowMs, epoch, revision, verdicts, keep });
    if (revisions > 0) while (table.collect(nowMs));
    const changed = new Map<string, ChangedRows>();
    for (const [name, { text: before }] of documents) {
      const rows = store.rows(name);
      const text = encodeRows(rows);
      if (text !== before) changed.set(name, { rows, text });
    }
    // What is written has a version of its own.
    return changed.size > 0 && revisions === 0 ? undefined : { result, changed, kept };
  } catch (error) {
    if (error === exhausted) return undefined;
    throw error;
  }
}

function runOne(command: LockCommand, now: LocksNow, fresh: Map<string, KnownOutcome>): LockVerdict {
  const { table, nowMs, verdicts } = now;
  const wrong = checkLockCommand(command, nowMs);
  if (wrong !== undefined) return { outcome: "fail", error: wrong.toData() };
  if (command.kind === "confirm") return table.run(command, nowMs);
  const { opId } = command;
  const print = lockPrint(command);
  const known = fresh.get(opId) ?? verdicts.get(opId);
  if (known !== undefined) return asOfNow(table, command, replayOf<LockVerdict>(known, print), nowMs);
  const verdict = table.run(command, nowMs);
  fresh.set(opId, { print, verdict });
  now.keep(opId, { print, verdict });
  return verdict;
}
