import type {
  CallScope,
  MutateReply,
  Mutation,
  ReadReply,
  Refusal,
  SpaceOptionsData,
  Verdict,
} from "../../src/protocol/shard-api.ts";
import { isRefusal, scopeOpId } from "../../src/protocol/shard-api.ts";
import { utf8 } from "../../src/runtime/bytes.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import type { Random } from "../../src/runtime/random.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import type { Ledger } from "../../src/shard/ledger.ts";
import { Residence } from "../../src/shard/residence.ts";
import { dropAll } from "../../src/shard/schema.ts";
import { Shard, type ShardOptions } from "../../src/shard/shard.ts";
import { seeded } from "./seeded.ts";

/** A shard on a given database, with a clock that the test moves and an alarm that the test sees. */
export class ShardBed {
  nowMs = 1_700_000_000_000;
  alarmMs: number | undefined;
  readonly random: Random;
  readonly sql: Sql;
  readonly #options: Partial<ShardOptions>;
  shard: Shard;
  spaceId: string | undefined;
  registrations = 0;

  constructor(sql: Sql, options: Partial<ShardOptions> = {}, seed = 1) {
    this.sql = sql;
    this.#options = options;
    this.random = seeded(seed);
    this.shard = this.#make();
  }

  /** The same database under a new instance, as after an eviction or a crash. */
  restart(options: Partial<ShardOptions> = {}): void {
    this.shard = this.#make(options);
  }

  #make(options: Partial<ShardOptions> = {}): Shard {
    return new Shard({ ...this.#parts(), ...this.#options, ...options });
  }

  #parts(): ShardOptions {
    return {
      sql: this.sql,
      clock: { now: () => this.nowMs },
      random: this.random,
      // Nobody waits here unless a test passes timers of its own.
      timers: { after: () => () => {} },
      alarm: {
        set: (atMs) => {
          this.alarmMs = atMs;
        },
      },
      durable: async () => {},
      wipe: async () => dropAll(this.sql),
      databaseBytes: () => 0,
      home: () => {
        throw new Error("shard 0 has no home but itself");
      },
      maxValueBytes: 1_048_576,
      logMaxEntries: 100_000,
      logMaxAgeMs: 86_400_000,
      statics: [],
    };
  }

  scope(shard = 0): CallScope {
    return { space: "test", shard, spaceId: this.spaceId, registrations: this.registrations };
  }

  async create(options: Partial<SpaceOptionsData> = {}): Promise<this> {
    const reply = await this.shard.createSpace("test", options);
    if (isRefusal(reply)) throw new Error(reply.refused.message);
    this.spaceId = reply.space.id;
    return this;
  }

  /** What the shard keeps, opened anew: for the parts that calls reach only in other ways. */
  ledger(): Ledger {
    const ledger = new Residence({
      ...this.#parts(),
      ...this.#options,
    }).open();
    if (ledger === undefined) throw new Error("the shard belongs to no space");
    return ledger;
  }

  opId(): string {
    return scopeOpId("test", uuidv7({ now: () => this.nowMs }, this.random));
  }

  async mutate(...mutations: Mutation[]): Promise<MutateReply> {
    return expectReply(await this.shard.mutate({ ...this.scope(), mutations }));
  }

  async set(
    key: string,
    value: string,
    extra: Partial<Extract<Mutation, { kind: "set" }>> = {},
  ): Promise<Verdict> {
    const { verdicts } = await this.mutate({
      kind: "set",
      opId: this.opId(),
      key,
      payload: { bytes: utf8(value), contentType: "text/plain" },
      ...extra,
    });
    return verdicts[0] as Verdict;
  }

  async delete(key: string, extra: Partial<Extract<Mutation, { kind: "delete" }>> = {}): Promise<Verdict> {
    const { verdicts } = await this.mutate({ kind: "delete", opId: this.opId(), key, ...extra });
    return verdicts[0] as Verdict;
  }

  async read(...keys: string[]): Promise<ReadReply> {
    return expectReply(await this.shard.read({ ...this.scope(), keys }));
  }

  /** The text of a key; undefined: absent. */
  async text(key: string): Promise<string | undefined> {
    const { entries } = await this.read(key);
    const entry = entries[0];
    return entry ? new TextDecoder().decode(entry.payload.bytes) : undefined;
  }
}

/** The reply, or a failure that says how the shard refused. */
export function expectReply<T extends object>(reply: T | Refusal): Exclude<T, Refusal> {
  if (isRefusal(reply)) throw new Error(`refused: ${reply.refused.code}: ${reply.refused.message}`);
  return reply as Exclude<T, Refusal>;
}

/** The code of a refusal; fails on a reply. */
export function refusedCode(reply: object): string {
  if (!isRefusal(reply)) throw new Error("expected a refusal");
  return reply.refused.code;
}

/** The code of a failed verdict, or `ok`. */
export function verdictCode(verdict: Verdict | undefined): string {
  if (verdict === undefined) return "none";
  return verdict.outcome === "ok" ? "ok" : verdict.error.code;
}
