import type { Backing } from "../../src/backing/backing.ts";
import { type MemoryBacking, memoryBacking } from "../../src/backing/memory/memory-backing.ts";
import { MemoryBackingStorage } from "../../src/backing/memory/memory-backing-storage.ts";
import type { MemoryFault, MemoryFaults } from "../../src/backing/memory/memory-faults.ts";
import type { StorageSettings } from "../../src/protocol/space.ts";
import type { Clock, Timers } from "../../src/runtime/clock.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { brokenBacking, openBehind } from "../../src/shard/backing/behind.ts";
import type { OutboxBounds } from "../../src/shard/backing/outbox-count.ts";
import type { BackingRegistry } from "../../src/shard/behind.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A deployment that knows one storage, in memory. */
export function memoryRegistry(open: (space: string) => Backing, bounds?: OutboxBounds): BackingRegistry {
  return {
    names: ["memory"],
    load: async () => ({
      openBehind: (parts, space, backing) =>
        openBehind(bounds === undefined ? parts : { ...parts, bounds }, space, backing),
      brokenBacking,
    }),
    open: (_, space) => open(space),
  };
}

/** A shard with a storage behind it, both on one virtual clock. */
export class BackedShard {
  readonly clock: VirtualClock;
  readonly storage: MemoryBackingStorage;
  readonly bed: ShardBed;
  backing: MemoryBacking | undefined;
  /** What goes wrong with calls from now on. */
  faults: MemoryFaults = () => undefined;
  maxBatchBytes: number | undefined;

  /** `beside`: another shard or space, on whose clock and storage this one is. */
  constructor(
    sql: Sql,
    options: Partial<ShardOptions> = {},
    bounds?: OutboxBounds,
    beside?: BackedShard,
    seed = 1,
  ) {
    this.clock = beside?.clock ?? virtualClock(1_700_000_000_000);
    this.storage = beside?.storage ?? new MemoryBackingStorage();
    const { clock } = this;
    this.bed = new ShardBed(
      sql,
      {
        clock,
        timers: clock,
        backings: memoryRegistry(() => this.#open(clock, clock), bounds),
        ...options,
      },
      seed,
    );
  }

  #open(clock: Clock, timers: Timers): MemoryBacking {
    const { storage, maxBatchBytes } = this;
    const faults: MemoryFaults = (call) => this.faults(call);
    this.backing = memoryBacking({
      clock,
      timers,
      storage,
      faults,
      ...(maxBatchBytes !== undefined && { maxBatchBytes }),
    });
    return this.backing;
  }

  async create(storage: Partial<StorageSettings> = {}): Promise<this> {
    await this.bed.create({ storage: { name: "memory", write: "behind", ...storage } });
    return this;
  }

  /** Every call from now on goes wrong like this; none: all go well again. */
  fail(fault?: MemoryFault): void {
    this.faults = () => fault;
  }

  /** What is stored: each key with the text of its value and its version. */
  get stored(): Record<string, string> {
    return Object.fromEntries(
      this.storage
        .entries()
        .map(({ key, payload, stamp }) => [
          key,
          `${new TextDecoder().decode(payload.bytes)}@${stamp?.version ?? "-"}`,
        ]),
    );
  }

  /** Moves time on, and rings the alarm when it is due. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.clock.now() + ms;
    const { bed } = this;
    for (;;) {
      await this.clock.settle();
      const nowMs = this.clock.now();
      if (bed.alarmMs !== undefined && bed.alarmMs <= nowMs) {
        bed.alarmMs = undefined;
        await bed.shard.onAlarm();
      } else if (nowMs >= untilMs) break;
      // In small steps: what timers do may set the alarm.
      else
        await this.clock.advance(
          Math.min(20, untilMs - nowMs, Math.max(0.01, (bed.alarmMs ?? untilMs) - nowMs)),
        );
    }
    // Op ids are as old as that says.
    this.bed.nowMs = this.clock.now();
  }
}
