import { host } from "#host";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { shardLeases } from "../../src/lease/shard/shard-leases.ts";
import type { LeasePeerApi } from "../../src/protocol/lease.ts";
import { isRefusal } from "../../src/protocol/shard-api.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { dropAll } from "../../src/shard/schema.ts";
import { Shard, type ShardOptions } from "../../src/shard/shard.ts";
import type { LeaseBed } from "../contract/lease-bed.ts";
import { directConnection } from "./direct-connection.ts";
import { FakeMembers } from "./fake-members.ts";
import { MortalSql } from "./mortal-sql.ts";
import { type Seeded, seeded } from "./seeded.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** What befalls a call from one shard to another. */
export type PeerFate = "arrives" | "lost" | "answer lost" | "answer late" | "hangs";

/** One shard with its database, its alarm and its present instance. */
export class LeaseShard {
  readonly index: number;
  readonly #space: LeaseSpace;
  readonly #raw: Sql;
  sql: MortalSql;
  shard: Shard;
  members = new FakeMembers();
  #stopAlarm = (): void => {};
  alarms = 0;

  constructor(space: LeaseSpace, index: number, sql: Sql) {
    this.index = index;
    this.#space = space;
    this.#raw = sql;
    this.sql = new MortalSql(sql);
    this.shard = this.#open();
  }

  /** The instance ends where it stands; another takes over. Its alarm is the storage's, and stays. */
  kill(): void {
    this.sql.isDead = true;
    this.sql = new MortalSql(this.#raw);
    this.members = new FakeMembers();
    this.shard = this.#open();
  }

  #open(): Shard {
    const { sql } = this;
    const { time, random } = this.#space;
    const shard = new Shard({
      sql,
      clock: time,
      elapsed: time,
      timers: time,
      random,
      alarm: {
        set: (atMs) => {
          // As the platform has it.
          if (!(atMs > 0)) throw new TypeError("setAlarm() cannot be called with an alarm time <= 0");
          this.#stopAlarm();
          const ring = (): void => {
            this.alarms++;
            // An alarm whose handler fails comes again, as the platform has it.
            this.shard.onAlarm().catch(() => {
              this.#stopAlarm = time.after(100, ring);
            });
          };
          this.#stopAlarm = time.after(Math.max(0, atMs - time.now()), ring);
        },
      },
      durable: () => sql.durable(),
      wipe: async () => {
        this.#stopAlarm();
        dropAll(sql);
      },
      databaseBytes: () => 0,
      home: () => this.#space.shard(0),
      peer: (_, to) => this.#space.peer(this.index, to),
      maxValueBytes: 1_048_576,
      logMaxEntries: 100_000,
      logMaxAgeMs: 86_400_000,
      statics: [],
      ...this.#space.options,
    });
    return shard;
  }
}

/** A space "test" of real shards in virtual time, whose calls to each other a test may break. */
export class LeaseSpace implements LeaseBed {
  readonly time: VirtualClock;
  readonly random: Seeded;
  readonly options: Partial<ShardOptions>;
  readonly shards: LeaseShard[] = [];
  /** What befalls the next call between shards; default: it arrives. */
  fate: (from: number, to: number, method: keyof LeasePeerApi) => PeerFate = () => "arrives";
  /** Calls between shards that were sent, as `joinLease 0>2`. */
  readonly sent: string[] = [];

  constructor(seed: number, options: Partial<ShardOptions> = {}) {
    this.time = virtualClock();
    this.random = seeded(seed);
    this.options = options;
  }

  /** Runs `work` on such a space. */
  static async run(
    how: {
      readonly shards: number;
      readonly seed?: number;
      readonly strict?: boolean;
      readonly options?: Partial<ShardOptions>;
    },
    work: (space: LeaseSpace) => Promise<void>,
  ): Promise<void> {
    const space = new LeaseSpace(how.seed ?? 1, how.options);
    const open = async (): Promise<void> => {
      if (space.shards.length < how.shards) {
        await host.withSql(async (sql) => {
          space.shards.push(new LeaseShard(space, space.shards.length, sql));
          await open();
        });
        return;
      }
      const { shards, strict = false } = how;
      const reply = await space.shard(0).createSpace("test", { shards, strict });
      if (isRefusal(reply)) throw new Error(reply.refused.message);
      await work(space);
    };
    await open();
  }

  at(index: number): LeaseShard {
    const found = this.shards[index];
    if (found === undefined) throw new Error(`no shard ${index}`);
    return found;
  }

  shard(index: number): Shard {
    return this.at(index).shard;
  }

  client(): SpaceClient {
    return new SpaceClient({
      connection: directConnection("test", (index) => this.shard(index)),
      timers: this.time,
    });
  }

  leases() {
    return shardLeases(this.client());
  }

  adapter() {
    return shardAdapter(this.client());
  }

  peer(from: number, to: number): LeasePeerApi {
    const carry = async <R>(method: keyof LeasePeerApi, call: (shard: Shard) => Promise<R>): Promise<R> => {
      this.sent.push(`${method} ${from}>${to}`);
      const fate = this.fate(from, to, method);
      if (fate === "hangs") await new Promise<never>(() => {});
      if (fate === "lost") throw new Error("Network connection lost");
      const reply = await call(this.shard(to));
      if (fate === "answer lost") throw new Error("Network connection lost");
      if (fate === "answer late") {
        await new Promise<void>((resolve) => this.time.after(this.random.below(3_000), resolve));
      }
      return reply;
    };
    return {
      joinLease: (request) => carry("joinLease", (shard) => shard.leases.joinLease(request)),
      endLease: (request) => carry("endLease", (shard) => shard.leases.endLease(request)),
    };
  }

  /** Rows of a table, over all shards. */
  rows(table: string): number {
    return this.shards.reduce((total, { sql }) => {
      // A shard that was never written to has no tables.
      if (sql.all("SELECT 1 FROM sqlite_master WHERE name = ?", table).length === 0) return total;
      const [row] = sql.all<{ count: number }>(`SELECT count(*) AS count FROM ${table}`);
      return total + (row?.count ?? 0);
    }, 0);
  }
}
