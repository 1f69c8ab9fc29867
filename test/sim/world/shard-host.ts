import { resolveSettings } from "../../../src/core/policy.ts";
import { isWarpError } from "../../../src/errors.ts";
import type { LeasePeerApi } from "../../../src/protocol/lease.ts";
import type { ShardApi } from "../../../src/protocol/shard-api.ts";
import { beatFrame } from "../../../src/protocol/wire/frames.ts";
import type { Timers } from "../../../src/runtime/clock.ts";
import type { Random } from "../../../src/runtime/random.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import type { Home } from "../../../src/shard/admission.ts";
import { Hub } from "../../../src/shard/hub/hub.ts";
import type { HubSocket } from "../../../src/shard/hub/hub-socket.ts";
import { schemaVersion } from "../../../src/shard/schema.ts";
import { Shard } from "../../../src/shard/shard.ts";
import type { Seeded } from "../../support/seeded.ts";
import { Disk, DiskView } from "./disk.ts";
import { HostTime } from "./host-time.ts";
import { HubWatch } from "./hub-watch.ts";
import type { Kernel } from "./kernel.ts";
import { LockWatch } from "./lock-watch.ts";
import type { Wire } from "./wire.ts";

/** What a call to a shard ends with. */
export type CallEnd =
  | { readonly value: unknown }
  /** The shard's code threw. */
  | { readonly error: unknown }
  /** The instance went away under it. */
  | { readonly lost: true };

/** The way from a shard to one of its space; nothing is heard any more where `alive` says no. */
export type ToShards = (shard: number, alive: () => boolean) => Home & LeasePeerApi;

export type ShardMethod = keyof ShardApi | keyof LeasePeerApi;

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
  readonly disk: Disk;
  readonly #kernel: Kernel;
  readonly #random: Seeded;
  readonly #settings: ShardHostSettings;
  readonly #home: ToShards;
  #instance: Instance | undefined;
  /** Instances that were superseded and don't know it yet. */
  readonly #former = new Set<Instance>();
  #cancelAlarm: (() => void) | undefined;
  #downUntilMs = 0;
  #storageErrors = 0;
  /** Open sockets, and the instance that each was last with: undefined while that hibernates. */
  readonly #wires = new Map<Wire, Instance | undefined>();
  /** When superseded instances went on. */
  readonly spans: { readonly fromMs: number; toMs: number; readonly instance: Instance }[] = [];
  /** What sessions reported as unexpected: bugs. */
  readonly reported: unknown[] = [];
  readonly watch: HubWatch;
  readonly lockWatch: LockWatch;
  instances = 0;

  constructor(kernel: Kernel, index: number, settings: ShardHostSettings, home: ToShards) {
    this.#kernel = kernel;
    this.index = index;
    this.#settings = settings;
    this.#home = home;
    this.#random = kernel.chance(`shard ${index}`);
    this.disk = new Disk(kernel);
    this.watch = new HubWatch(kernel);
    this.lockWatch = new LockWatch(kernel, () => this.disk.transactions.length);
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
        wallMs: () => time.wall.now(),
      });
      this.#instance = new Instance(time, view, this.#random, this.#settings, this.#home, {
        index: this.index,
        watch: this.watch,
        lockWatch: this.lockWatch,
        nowMs: () => this.#kernel.nowMs,
        head: () => this.disk.head,
        sockets: () => this.#sleeping(),
        // A storage that refuses is no news here.
        report: (error) => {
          if (!isWarpError(error, "storage_unavailable")) this.reported.push(error);
        },
      });
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

  /** A socket arrives. Gives whether it was taken. */
  accept(wire: Wire): boolean {
    if (!this.isUp) return false;
    const instance = this.instance();
    this.#wires.set(wire, instance);
    instance.accept(wire);
    return true;
  }

  message(wire: Wire, data: string): void {
    if (!this.#wires.has(wire)) return;
    const instance = this.#wires.get(wire);
    // The platform answers these, also for an object that sleeps.
    if (data === beatFrame) {
      wire.beat((instance ?? this.#instance)?.time.wall.now() ?? 0);
      return;
    }
    (instance ?? this.#wake(wire)).message(wire, data);
  }

  /** A socket has ended at its other end, or broke. */
  closed(wire: Wire): void {
    if (!this.#wires.has(wire)) return;
    const instance = this.#wires.get(wire) ?? this.#wake(wire);
    this.#wires.delete(wire);
    this.lockWatch.closed(wire);
    instance.closed(wire);
  }

  /** A socket was closed by this end. */
  forget(wire: Wire): void {
    this.#wires.delete(wire);
  }

  #wake(wire: Wire): Instance {
    const instance = this.instance();
    this.#wires.set(wire, instance);
    return instance;
  }

  /** Sockets whose instance hibernates: the next one finds them. */
  #sleeping(): readonly Wire[] {
    const found: Wire[] = [];
    for (const [wire, instance] of this.#wires) {
      if (instance !== undefined && instance !== this.#instance) continue;
      found.push(wire);
      this.#wires.set(wire, this.#instance);
    }
    return found;
  }

  #breakWires(of: Instance | undefined): void {
    for (const [wire, instance] of [...this.#wires]) {
      if (instance !== of) continue;
      this.#wires.delete(wire);
      wire.break("node");
    }
  }

  /** Kills the instance at once. Of what was not yet durable, chance decides how much had reached the disk. */
  kill(downMs = 0): void {
    const instance = this.#instance;
    if (instance === undefined) return;
    this.#instance = undefined;
    this.#downUntilMs = this.#kernel.nowMs + downMs;
    instance.end(this.#random.below(instance.view.pending + 1));
    this.#breakWires(instance);
  }

  /** Ends an idle instance, as the platform does, its sockets sleeping or broken. Gives whether it was idle. */
  evict(keepSockets: boolean): boolean {
    const instance = this.#instance;
    if (instance === undefined || !instance.isIdle) return false;
    this.#instance = undefined;
    instance.end(0);
    if (!keepSockets) this.#breakWires(instance);
    for (const [wire, of] of this.#wires) if (of === instance) this.#wires.set(wire, undefined);
    return true;
  }

  /** Starts a new instance while the present one goes on, unaware: it can read what it has, and commit nothing. */
  supersede(goesOnMs: number): void {
    const instance = this.#instance;
    if (instance === undefined) return;
    this.#instance = undefined;
    this.#former.add(instance);
    instance.superseded();
    instance.view.onFailure = () => this.#drop(instance);
    this.spans.push({ fromMs: this.#kernel.nowMs, instance, toMs: Number.POSITIVE_INFINITY });
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
    for (const span of this.spans)
      if (span.instance === instance) span.toMs = Math.min(span.toMs, this.#kernel.nowMs);
    if (this.#instance === instance) this.#instance = undefined;
    instance.end(0);
    this.#breakWires(instance);
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
  #messages = 0;
  readonly #hub: Hub;
  readonly #index: number;
  readonly #watch: HubWatch;
  readonly #lockWatch: LockWatch;
  readonly #nowMs: () => number;
  /** Its life, as the watch knows it. */
  readonly #life = { endedMs: Number.POSITIVE_INFINITY };
  readonly #head: () => number;
  readonly #sockets = new Map<Wire, HubSocket>();
  readonly #calls = new Set<(end: CallEnd) => void>();
  readonly #atEnd: (() => void)[] = [];

  constructor(
    time: HostTime,
    view: DiskView,
    random: Random,
    settings: ShardHostSettings,
    home: ToShards,
    world: {
      readonly index: number;
      readonly watch: HubWatch;
      readonly lockWatch: LockWatch;
      /** True time. */
      readonly nowMs: () => number;
      /** The newest revision that is durable. */
      readonly head: () => number;
      readonly sockets: () => readonly Wire[];
      readonly report: (error: unknown) => void;
    },
  ) {
    this.#index = world.index;
    this.#watch = world.watch;
    this.#lockWatch = world.lockWatch;
    this.#nowMs = world.nowMs;
    this.#head = world.head;
    this.time = time;
    this.view = view;
    const timers = time.timers((run) => {
      if (this.#alive) run();
    });
    const counted: Timers = {
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
    };
    this.shard = new Shard({
      sql: view.sql,
      clock: time.wall,
      // Not put forward with the wall clock: else what that takes away would be missing from every promise (rule LK6).
      elapsed: time.elapsed,
      random,
      timers: counted,
      alarm: { set: (atMs) => view.setAlarm(atMs) },
      durable: () => view.durable(),
      wipe: async () => {
        view.wipe();
        await view.durable();
      },
      databaseBytes: () => 0,
      home: () => home(0, () => this.#alive),
      peer: (_, shard) => home(shard, () => this.#alive),
      maxValueBytes: 1_048_576,
      logMaxEntries: settings.logMaxEntries,
      logMaxAgeMs: settings.logMaxAgeMs,
      statics: [],
    });
    this.#hub = new Hub({
      shard: this.shard,
      clock: time.wall,
      timers: counted,
      random,
      sockets: () => world.sockets().map((wire) => this.#socketOf(wire)),
      checkSettings: resolveSettings,
      report: world.report,
    });
  }

  accept(wire: Wire): void {
    this.#hub.accept(this.#socketOf(wire), {
      space: "sim",
      shard: this.#index,
      subject: "node",
      invalidates: true,
      locks: true,
      isAdmin: true,
    });
    this.view.gate(() => wire.opened());
  }

  message(wire: Wire, data: string): void {
    this.#watch.received(wire, data);
    this.#lockWatch.asked(wire, data, this.#life);
    this.#messages++;
    const done = (): void => {
      this.#messages--;
    };
    this.#hub.message(this.#socketOf(wire), data).then(done, done);
  }

  closed(wire: Wire): void {
    this.#hub.closed(this.#socketOf(wire));
  }

  /** This instance's hold of a socket: what it sends waits for what it has written. */
  #socketOf(wire: Wire): HubSocket {
    let socket = this.#sockets.get(wire);
    if (socket === undefined) {
      const { view } = this;
      socket = {
        send: (data) => {
          this.#watch.sent(wire, String(data), () => ({ head: this.#head(), intents: intentsOf(view.sql) }));
          this.#lockWatch.sent(wire, String(data));
          view.gate(() => wire.fromShard(String(data)));
        },
        close: (code, reason) => view.gate(() => wire.closeFromShard(code, reason)),
        get attachment() {
          return wire.attachment;
        },
        set attachment(value: unknown) {
          wire.attachment = structuredClone(value);
        },
        get lastBeatMs() {
          return wire.lastBeatMs;
        },
      };
      this.#sockets.set(wire, socket);
    }
    return socket;
  }

  get isIdle(): boolean {
    return this.#calls.size === 0 && this.#timers === 0 && this.#messages === 0 && this.view.isClean;
  }

  call(method: ShardMethod, args: readonly unknown[], end: (end: CallEnd) => void): void {
    this.#calls.add(end);
    const answered = this.#lockWatch.called(method, args, this.#life);
    const leave = (how: CallEnd): void =>
      this.view.gate(() => {
        if (this.#calls.delete(end)) end(how);
      });
    const target: Readonly<Record<string, unknown>> = (
      method === "joinLease" || method === "endLease" ? this.shard.leases : this.shard
    ) as never;
    const call = target[method] as (...args: readonly unknown[]) => Promise<unknown>;
    call.apply(target, args as unknown[]).then(
      (value) => {
        answered(value);
        leave({ value });
      },
      (error: unknown) => {
        answered({});
        leave({ error });
      },
    );
  }

  /** Another has taken its place: from now on it can tell nobody of what is committed. */
  superseded(): void {
    this.#life.endedMs = this.#nowMs();
  }

  onEnd(run: () => void): void {
    this.#atEnd.push(run);
  }

  /** It is gone: nothing of it runs any more, its callers' connections break. `kept`: see `DiskView.end`. */
  end(kept: number): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#life.endedMs = Math.min(this.#life.endedMs, this.#nowMs());
    this.view.end(kept);
    for (const end of this.#calls) end({ lost: true });
    this.#calls.clear();
    for (const run of this.#atEnd) run();
  }
}

function intentsOf(sql: Sql): number {
  return sql.all<{ count: number }>("SELECT count(*) AS count FROM intents")[0]?.count ?? 0;
}
