import type { BackingEntry } from "../../src/backing/backing.ts";
import { MemoryBacking } from "../../src/backing/memory/memory-backing.ts";
import type { MemoryBackingStorage } from "../../src/backing/memory/memory-backing-storage.ts";
import type { MemoryFaults } from "../../src/backing/memory/memory-faults.ts";
import { isRefusal, type Refusal } from "../../src/protocol/shard-api.ts";
import type { StorageSettings } from "../../src/protocol/space.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { brokenBacking, openBehind } from "../../src/shard/backing/behind.ts";
import { ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A shard with a storage in memory behind it, whose calls may go wrong as `faults` says. */
export class SupplyBed {
  readonly bed: ShardBed;
  readonly clock: VirtualClock = virtualClock(1_700_000_000_000);
  readonly backing: MemoryBacking;
  faults: MemoryFaults = () => undefined;
  /** What an operator was told. */
  readonly reported: string[] = [];
  /** Calls of the storage, by name. */
  readonly asked: string[] = [];

  constructor(sql: Sql) {
    const { clock } = this;
    this.backing = new MemoryBacking({
      clock,
      timers: clock,
      faults: (call) => {
        this.asked.push(call);
        return this.faults(call);
      },
    });
    this.bed = new ShardBed(sql, {
      clock,
      timers: clock,
      report: (message) => void this.reported.push(message),
      backings: {
        names: ["memory"],
        load: async () => ({ openBehind, brokenBacking }),
        open: () => this.backing,
      },
    });
  }

  get storage(): MemoryBackingStorage {
    return this.backing.storage;
  }

  async create(storage: Partial<StorageSettings> = {}): Promise<this> {
    const settings: StorageSettings = { name: "memory", write: "behind", ...storage };
    const reply = await this.bed.shard.createSpace("test", { storage: settings });
    if (isRefusal(reply)) throw new Error(reply.refused.message);
    this.bed.spaceId = reply.space.id;
    return this;
  }

  /** Another program writes. */
  foreign(key: string, value: string, expiresAtMs?: number): void {
    this.storage.putPlain(key, { bytes: utf8(value), contentType: "text/plain" }, expiresAtMs);
  }

  stored(key: string): BackingEntry | undefined {
    return this.storage.entries().find((entry) => entry.key === key);
  }

  /** Lets the storage hear of all. */
  async settle(): Promise<void> {
    await this.clock.advance(1);
    await this.clock.settle();
  }

  reads(): number {
    return this.asked.filter((call) => call === "read").length;
  }

  async refused(key: string): Promise<Refusal | undefined> {
    const reply = await this.bed.shard.read({ ...this.bed.scope(), keys: [key] });
    return isRefusal(reply) ? reply : undefined;
  }
}
