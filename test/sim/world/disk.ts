import { nodeSql } from "../../../src/platform/node.ts";
import type { Sql, SqlRow, SqlValue } from "../../../src/runtime/sql.ts";
import { dropAll } from "../../../src/shard/schema.ts";
import type { Kernel } from "./kernel.ts";

/** One write of a shard's database. */
export type Write =
  | { readonly query: string; readonly bindings: readonly SqlValue[] }
  | { readonly alarmMs: number | undefined }
  | { readonly wipe: true };

/** What was written at once, and when. */
export interface DiskTransaction {
  readonly writes: readonly Write[];
  /** The true time, and the instance's wall clock, when it ran. */
  readonly ranMs: number;
  readonly wallMs: number;
}

/** A transaction that is durable, since a moment in the world's order and a true time. */
export type Durable = DiskTransaction & { readonly mark: number; readonly durableMs: number };

/** A shard's storage that outlives its instances: all writes that are durable, in order. */
export class Disk {
  readonly #writes: Durable[] = [];
  #head = 0;
  readonly #kernel: Pick<Kernel, "mark" | "nowMs">;
  /** When each revision became durable. */
  readonly marks = new Map<number, number>();
  /** The alarm that is set durably, in Unix ms. */
  alarmMs: number | undefined;
  /** The view whose commits count: that of the latest instance. */
  owner: DiskView | undefined;

  get length(): number {
    return this.#writes.length;
  }

  constructor(kernel: Pick<Kernel, "mark" | "nowMs">) {
    this.#kernel = kernel;
  }

  /** All that is durable, in order. */
  get transactions(): readonly Durable[] {
    return this.#writes;
  }

  /** The newest revision of the log that is durable. */
  get head(): number {
    return this.#head;
  }

  append(transactions: readonly DiskTransaction[]): void {
    for (const transaction of transactions) {
      const mark = this.#kernel.mark();
      this.#writes.push({ ...transaction, mark, durableMs: this.#kernel.nowMs });
      for (const write of transaction.writes) this.#note(write, mark);
    }
  }

  #note(write: Write, mark: number): void {
    if ("alarmMs" in write) this.alarmMs = write.alarmMs;
    else if ("wipe" in write) {
      this.alarmMs = undefined;
      this.#head = 0;
    } else if (write.query.startsWith("INSERT INTO log ")) {
      this.#head = Number(write.bindings[0]);
      this.marks.set(this.#head, mark);
    } else if (write.bindings[0] === "reserved") {
      // Revisions without entries: of locks.
      this.#head = Math.max(this.#head, Number(write.bindings[1]));
    }
  }

  /** Sets the storage back by its last `transactions`, as from a backup. */
  restore(transactions: number): void {
    const kept = this.#writes.splice(0);
    this.alarmMs = undefined;
    this.#head = 0;
    this.append(kept.slice(0, Math.max(0, kept.length - transactions)));
  }

  /** Opens a database that holds what is durable. */
  open(): Sql & { close(): void } {
    const sql = nodeSql();
    for (const write of this.#writes.flatMap(({ writes }) => writes)) {
      apply(sql, write);
    }
    return sql;
  }
}

/** Carries out one write of a transaction again. */
export function apply(sql: Sql, write: Write): void {
  if ("query" in write) sql.run(write.query, ...write.bindings);
  else if ("wipe" in write) dropAll(sql);
}

/** How an instance's storage misbehaves. */
export interface DiskFaults {
  /** Ms from a write to its durability. */
  flushMs(): number;
  /** Whether the next transaction is to fail in its middle. */
  failsNow(): boolean;
  /** The instance's wall clock. */
  wallMs(): number;
}

/**
 * One instance's view of its disk: writes are seen at once and durable later, all or nothing for each transaction. Nothing of the instance leaves
 * before what it has written by then is durable: {@link gate}.
 */
export class DiskView {
  readonly #kernel: Kernel;
  readonly #disk: Disk;
  readonly #faults: DiskFaults;
  readonly #db: Sql & { close(): void };
  readonly sql: Sql;
  /** Written and not yet durable. */
  #pending: DiskTransaction[] = [];
  #transaction: Write[] | undefined;
  #flushing = 0;
  #queue: { readonly after: number; readonly run: () => void }[] = [];
  #written = 0;
  #flushed = 0;
  #alive = true;
  /** It found that it was superseded. */
  onFailure: (() => void) | undefined;
  /** More has become durable. */
  onFlushed: (() => void) | undefined;

  constructor(kernel: Kernel, disk: Disk, faults: DiskFaults) {
    this.#kernel = kernel;
    this.#disk = disk;
    this.#faults = faults;
    this.#db = disk.open();
    disk.owner = this;
    this.sql = {
      all: <Row extends SqlRow>(query: string, ...bindings: SqlValue[]) => {
        this.#check();
        if (!/^\s*(SELECT|PRAGMA|WITH)/i.test(query)) this.#note({ query, bindings });
        return this.#db.all<Row>(query, ...bindings);
      },
      run: (query, ...bindings) => {
        this.#check();
        this.#db.run(query, ...bindings);
        this.#note({ query, bindings });
      },
      transaction: (work) => this.#transact(work),
    };
  }

  /** Whether everything written is durable. */
  get isClean(): boolean {
    return this.#pending.length === 0;
  }

  setAlarm(alarmMs: number | undefined): void {
    this.#note({ alarmMs });
  }

  wipe(): void {
    dropAll(this.#db);
    this.#note({ wipe: true });
  }

  /** Settles when all that was written is durable; never, where that can no longer be. */
  durable(): Promise<void> {
    return new Promise((resolve) => this.gate(resolve));
  }

  /** Runs `run` once all that has been written so far is durable: at once if it is. In order. */
  gate(run: () => void): void {
    if (!this.#alive) return;
    if (this.#queue.length === 0 && this.#flushed >= this.#written) run();
    else this.#queue.push({ after: this.#written, run });
  }

  /**
   * Ends the instance: nothing of it runs or leaves any more. What was not durable is lost, but for its first `kept` transactions: they had reached
   * the disk.
   */
  end(kept: number): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#queue = [];
    if (this.#disk.owner === this) this.#disk.append(this.#pending.slice(0, kept));
    this.#pending = [];
    this.#db.close();
  }

  get pending(): number {
    return this.#pending.length;
  }

  #check(): void {
    if (!this.#alive) throw new Error("this instance has ended");
  }

  #transact<T>(work: () => T): T {
    this.#check();
    const outer = this.#transaction;
    const mine: Write[] = [];
    this.#transaction = mine;
    // The writes come first, so that there is something to undo.
    const fails = outer === undefined && this.#faults.failsNow();
    let result: T;
    try {
      result = this.#db.transaction(() => {
        const done = work();
        if (fails && mine.length > 0) throw new Error("database or disk is full");
        return done;
      });
    } finally {
      this.#transaction = outer;
    }
    if (outer !== undefined) outer.push(...mine);
    else if (mine.length > 0) this.#commit(mine);
    return result;
  }

  #note(write: Write): void {
    if (this.#transaction !== undefined) this.#transaction.push(write);
    else this.#commit([write]);
  }

  #commit(writes: readonly Write[]): void {
    this.#pending.push({ writes, ranMs: this.#kernel.nowMs, wallMs: this.#faults.wallMs() });
    this.#written++;
    if (this.#flushing === 0) this.#flush();
  }

  #flush(): void {
    this.#flushing = this.#pending.length;
    this.#kernel.after(this.#faults.flushMs(), () => {
      if (!this.#alive) return;
      // Another instance has the storage: what this one writes never becomes durable, so nothing that follows a write leaves it.
      if (this.#disk.owner !== this) return this.onFailure?.();
      const done = this.#pending.splice(0, this.#flushing);
      this.#disk.append(done);
      this.#flushed += done.length;
      this.#flushing = 0;
      if (this.#pending.length > 0) this.#flush();
      this.onFlushed?.();
      while (this.#queue[0] !== undefined && this.#queue[0].after <= this.#flushed)
        this.#queue.shift()?.run();
    });
  }
}
