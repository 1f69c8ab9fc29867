import type { ShardApi } from "../../../src/protocol/shard-api.ts";
import type { Random } from "../../../src/runtime/random.ts";
import type { Home } from "../../../src/shard/admission.ts";
import { schemaVersion } from "../../../src/shard/schema.ts";
import { Shard } from "../../../src/shard/shard.ts";
import type { Seeded } from "../../support/seeded.ts";
import { Disk, DiskView } from "./disk.ts";
import { HostTime } from "./host-time.ts";
import type { Kernel } from "./kernel.ts";

/** What a call to a shard ends with. */
export type CallEnd =
  | { readonly value: unknown }
  /** The shard's code threw. */
  | { readonly error: unknown }
  /** The instance went away under it. */
  | { readonly lost: true };

export type ShardMethod = keyof ShardApi;

/** Settings of a {@link ShardHost}. */
export interface ShardHostSettings {
  readonly flushMinMs: number;
  readonly flushSpreadMs: number;
  readonly logMaxEntries: number;
  readonly logMaxAgeMs: number;
}

/** One object of the platform: at most one instance that counts, over storage that outlives it. */
export class ShardHost {
  readonly index: number;
  readonly disk = new Disk();
  readonly #kernel: Kernel;
  readonly #random: Seeded;
  readonly #settings: ShardHostSettings;
  readonly #home: (alive: () => boolean) => Home;
  #instance: Instance | undefined;
  /** Instances that were superseded and don't know it yet. */
  readonly #former = new Set<Instance>();
  #cancelAlarm: (() => void) | undefined;
  #downUntilMs = 0;
  #storageErrors = 0;
  instances = 0;

  constructor(
    kernel: Kernel,
    index: number,
    settings: ShardHostSettings,
    home: (alive: () => boolean) => Home,
  ) {
    this.#kernel = kernel;
    this.index = index;
    this.#settings = settings;
    this.#home = home;
    this.#random = kernel.chance(`shard ${index}`);
  }

  /** The instance that counts, started if there is none. */
  instance(): Instance {
    if (this.#instance === undefined) {
      const time = new HostTime(this.#kernel, {
        rate: 1 + (this.#random.below(101) - 50) / 10_000,
        offsetMs: this.#random.below(1_001) - 500,
      });
      this.instances++;
      const view = new DiskView(this.#kernel, this.disk, {
        flushMs: () => this.#settings.flushMinMs + this.#random.below(this.#settings.flushSpreadMs + 1),
        failsNow: () => this.#storageErrors > 0 && this.#storageErrors-- > 0,
      });
      this.#instance = new Instance(time, view, this.#random, this.#settings, this.#home);
      view.onFailure = () => this.#drop(this.#instance);
      view.onFlushed = () => this.#armAlarm();
      this.#armAlarm();
    }
    return this.#instance;
  }

  get isUp(): boolean {
    return this.#downUntilMs <= this.#kernel.nowMs;
  }

  /** Calls a method; `end` is told once, when the platform would let the answer go out. */
  call(method: ShardMethod, args: readonly unknown[], end: (end: CallEnd) => void): void {
    if (this.isUp) this.instance().call(method, args, end);
    else end({ lost: true });
  }

  /** Kills the instance at once. Of what was not yet durable, chance decides how much had reached the disk. */
  kill(downMs = 0): void {
    const instance = this.#instance;
    if (instance === undefined) return;
    this.#instance = undefined;
    this.#downUntilMs = this.#kernel.nowMs + downMs;
    instance.end(this.#random.below(instance.view.pending + 1));
  }

  /** Ends an idle instance, as the platform does. Gives whether it was idle. */
  evict(): boolean {
    const instance = this.#instance;
    if (instance === undefined || !instance.isIdle) return false;
    this.#instance = undefined;
    instance.end(0);
    return true;
  }

  /** Starts a new instance while the present one goes on, unaware: it can read what it has, and commit nothing. */
  supersede(goesOnMs: number): void {
    const instance = this.#instance;
    if (instance === undefined) return;
    this.#instance = undefined;
    this.#former.add(instance);
    instance.view.onFailure = () => this.#drop(instance);
    this.#kernel.after(goesOnMs, () => this.#drop(instance));
    this.instance();
  }

  /** The position that the shard is at. */
  position(): { readonly epoch: string; readonly revision: number } {
    const { sql } = this.instance().view;
    if (schemaVersion(sql) === 0) return { epoch: "0".repeat(16), revision: 0 };
    const [epoch] = sql.all<{ value: string }>("SELECT value FROM meta WHERE name = 'epoch'");
    const [head] = sql.all<{ head: number | null }>("SELECT max(revision) AS head FROM log");
    return { epoch: epoch?.value ?? "", revision: head?.head ?? 0 };
  }

  /** Sets the storage back by up to `writes` of its writes, as from a backup, under a new instance. */
  restore(writes: number): void {
    this.kill();
    this.disk.restore(writes);
  }

  /** The next `count` transactions fail in their middle. */
  failTransactions(count: number): void {
    this.#storageErrors = count;
  }

  /** The instance's wall clock is set, within half a second of true time. */
  stepClock(): void {
    this.#instance?.time.step(this.#random.below(1_001) - 500);
  }

  close(): void {
    this.#cancelAlarm?.();
    for (const instance of this.#former) instance.end(0);
    this.#instance?.end(0);
  }

  #drop(instance: Instance | undefined): void {
    if (instance === undefined) return;
    this.#former.delete(instance);
    if (this.#instance === instance) this.#instance = undefined;
    instance.end(0);
  }

  /** The platform's alarm: at least once, not before its time, and often late. */
  #armAlarm(): void {
    this.#cancelAlarm?.();
    const atMs = this.disk.alarmMs;
    if (atMs === undefined) return;
    const now = this.#instance?.time.wall.now() ?? 0;
    this.#cancelAlarm = this.#kernel.after(Math.max(0, atMs - now) + this.#random.below(200), () => {
      this.#cancelAlarm = undefined;
      if (!this.isUp) return this.#retryAlarm(50);
      const { shard, time } = this.instance();
      if (time.wall.now() < atMs) return this.#armAlarm();
      this.disk.alarmMs = undefined;
      let over = false;
      const again = (): void => {
        if (over) return;
        over = true;
        this.disk.alarmMs ??= atMs;
        this.#retryAlarm(100);
      };
      this.#instance?.onEnd(again);
      shard.onAlarm().then(() => {
        over = true;
      }, again);
    });
  }

  #retryAlarm(ms: number): void {
    this.#cancelAlarm?.();
    this.#cancelAlarm = this.#kernel.after(ms, () => this.#armAlarm());
  }
}

/** One life of a shard's code in memory. */
export class Instance {
  readonly time: HostTime;
  readonly view: DiskView;
  readonly shard: Shard;
  #alive = true;
  #timers = 0;
  readonly #calls = new Set<(end: CallEnd) => void>();
  readonly #atEnd: (() => void)[] = [];

  constructor(
    time: HostTime,
    view: DiskView,
    random: Random,
    settings: ShardHostSettings,
    home: (alive: () => boolean) => Home,
  ) {
    this.time = time;
    this.view = view;
    const timers = time.timers((run) => {
      if (this.#alive) run();
    });
    this.shard = new Shard({
      sql: view.sql,
      clock: time.wall,
      random,
      timers: {
        after: (delayMs, run) => {
          this.#timers++;
          let over = false;
          const done = (): void => {
            if (!over) this.#timers--;
            over = true;
          };
          const cancel = timers.after(delayMs, () => {
            done();
            run();
          });
          return () => {
            done();
            cancel();
          };
        },
      },
      alarm: { set: (atMs) => view.setAlarm(atMs) },
      durable: () => view.durable(),
      wipe: async () => {
        view.wipe();
        await view.durable();
      },
      databaseBytes: () => 0,
      home: () => home(() => this.#alive),
      maxValueBytes: 1_048_576,
      logMaxEntries: settings.logMaxEntries,
      logMaxAgeMs: settings.logMaxAgeMs,
      statics: [],
    });
  }

  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#timers === 0 && this.view.isClean;
  }

  call(method: ShardMethod, args: readonly unknown[], end: (end: CallEnd) => void): void {
    this.#calls.add(end);
    const leave = (how: CallEnd): void =>
      this.view.gate(() => {
        if (this.#calls.delete(end)) end(how);
      });
    const call = this.shard[method] as (...args: readonly unknown[]) => Promise<unknown>;
    call.apply(this.shard, args as unknown[]).then(
      (value) => leave({ value }),
      (error: unknown) => leave({ error }),
    );
  }

  onEnd(run: () => void): void {
    this.#atEnd.push(run);
  }

  /** It is gone: nothing of it runs any more, its callers' connections break. `kept`: see `DiskView.end`. */
  end(kept: number): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.view.end(kept);
    for (const end of this.#calls) end({ lost: true });
    this.#calls.clear();
    for (const run of this.#atEnd) run();
  }
}
