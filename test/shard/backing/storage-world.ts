import { isAfter } from "../../../src/backing/batch.ts";
import { memoryBacking } from "../../../src/backing/memory/memory-backing.ts";
import type { MemoryFault } from "../../../src/backing/memory/memory-faults.ts";
import {
  isRefusal,
  type Mutation,
  type Refusal,
  scopeOpId,
  type Verdict,
} from "../../../src/protocol/shard-api.ts";
import type { OperationResult, Transaction } from "../../../src/protocol/transaction.ts";
import { fromUtf8, utf8 } from "../../../src/runtime/bytes.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { dropAll } from "../../../src/shard/schema.ts";
import { Shard } from "../../../src/shard/shard.ts";
import { memoryRegistry } from "../../support/backed-shard.ts";
import type { UndurableSql } from "../../support/savepoint-sql.ts";
import { type Seeded, seeded } from "../../support/seeded.ts";
import { type Dump, dump, restore } from "../../support/strong-world/volatile-sql.ts";
import { virtualClock } from "../../support/virtual-clock.ts";
import { RecordingStorage } from "./recording-storage.ts";

const keys = ["a", "b", "c", "d", "e", "f"];

/** What a world came to, for figures. */
export interface StorageRun {
  readonly instances: number;
  readonly acknowledged: number;
  readonly pending: number;
  readonly batches: number;
  readonly repeats: number;
  readonly losses: number;
  readonly restores: number;
}

/** How the way to the storage is. */
type Weather = "fair" | "slow" | "lossy" | "down";

/**
 * A shard with a storage behind it, in a world in which instances end at any moment (with or without what was not durable), calls to the storage are late, lost or
 * arrive twice, the storage loses its newest batches or everything, and the shard's own database is set back.
 */
export class StorageWorld {
  readonly #seed: number;
  readonly #random: Seeded;
  readonly #clock = virtualClock(1_700_000_000_000);
  readonly #raw: Sql;
  readonly #storage = new RecordingStorage();
  readonly #isThrough: boolean;
  readonly #isRough: boolean;
  readonly #undurable: (sql: Sql) => UndurableSql;
  #sql: UndurableSql;
  #shard: Shard;
  #alarmMs: number | undefined;
  /** The instance that was rung and has not answered. */
  #ringing: UndurableSql | undefined;
  #weather: Weather = "fair";
  #spaceId: string | undefined;
  #backup: { readonly dump: Dump; readonly losses: number } | undefined;
  /** The life of the log in which it was set back last. */
  #setBackIn: string | undefined;
  /** For each key the newest revision that was acknowledged. */
  #acknowledged = new Map<string, number>();
  #figures = { instances: 0, acknowledged: 0, pending: 0, restores: 0 };
  #values = 0;

  /** `undurable`: how a database is made one whose commits become durable later. */
  constructor(sql: Sql, seed: number, undurable: (sql: Sql) => UndurableSql) {
    this.#undurable = undurable;
    this.#raw = sql;
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#isThrough = this.#random.below(2) === 0;
    // Where nothing is lost for good, all can be checked to the last entry.
    this.#isRough = this.#random.below(2) === 0;
    this.#sql = undurable(sql);
    this.#shard = this.#start();
  }

  async run(steps = 120): Promise<StorageRun> {
    await this.#insist(async () => {
      const reply = await this.#shard.createSpace("test", {
        storage: {
          name: "memory",
          write: this.#isThrough ? "through" : "behind",
          throughTimeoutMs: 10 + this.#random.below(300),
        },
      });
      if (isRefusal(reply)) return false;
      this.#spaceId = reply.space.id;
      return true;
    });
    for (let step = 0; step < steps; step++) {
      if (this.#isRough && step === steps - 12) this.#takeBackup();
      await this.#step();
    }
    await this.#heal();
    return {
      ...this.#figures,
      batches: this.#storage.batches,
      repeats: this.#storage.repeats,
      losses: this.#storage.losses,
    };
  }

  async #step(): Promise<void> {
    const die = this.#random.below(100);
    if (die < 55) this.#write();
    else if (die < 59) this.#weather = this.#random.pick(["fair", "fair", "slow", "lossy", "down"]);
    else if (die < 63) this.#end();
    else if (die < 66 && this.#isRough) this.#loseTail();
    else if (die < 67 && this.#isRough) this.#empty();
    else if (die < 71 && this.#isRough) this.#takeBackup();
    else if (die < 74 && this.#isRough) await this.#setBack();
    else if (die < 76) await this.#checkUsage();
    else if (die < 78)
      void this.#shard.read({ ...this.#scope(), keys: [this.#random.pick(keys)] }).catch(() => {});
    await this.#pass(this.#random.pick([0, 0, 1, 3, 10, 40, 200, 1_000]));
  }

  /** Time passes: what is written becomes durable sooner or later, alarms ring. */
  async #pass(ms: number): Promise<void> {
    const untilMs = this.#clock.now() + ms;
    do {
      if (this.#random.below(3) > 0) this.#sql.flush();
      await this.#clock.advance(Math.min(this.#random.below(20), Math.max(0, untilMs - this.#clock.now())));
      if (this.#alarmMs !== undefined && this.#alarmMs <= this.#clock.now()) {
        this.#ring();
      }
    } while (this.#clock.now() < untilMs);
    await this.#clock.settle();
  }

  /** The platform rings again where the instance ends before it has answered. */
  #ring(): void {
    this.#alarmMs = undefined;
    const sql = this.#sql;
    this.#ringing = sql;
    const ended = () => {
      if (this.#ringing === sql) this.#ringing = undefined;
    };
    void this.#shard.onAlarm().then(ended, () => {
      ended();
      this.#alarmMs ??= this.#clock.now() + 1_000;
    });
  }

  #scope() {
    return { space: "test", shard: 0, spaceId: this.#spaceId, registrations: 0 };
  }

  #opId(): string {
    return scopeOpId("test", uuidv7(this.#clock, this.#random));
  }

  /** One call, which nobody waits for here: what it is answered is checked when it comes. */
  #write(): void {
    const random = this.#random;
    if (random.below(5) > 0) {
      const mutations = Array.from({ length: 1 + random.below(3) }, () => this.#mutation(random.pick(keys)));
      const names = mutations.map(({ key }) => key);
      void this.#call(
        (shard) => shard.mutate({ ...this.#scope(), mutations }),
        ({ verdicts }) => verdicts.map((verdict, at) => ({ key: names[at] ?? "", verdict })),
      );
      return;
    }
    const chosen = keys.filter(() => random.below(2) === 0);
    const transaction: Transaction = {
      opId: this.#opId(),
      compare: [],
      success: chosen.map((key) => {
        const { opId: _, ...part } = this.#mutation(key);
        return part;
      }),
      failure: [],
    };
    void this.#call(
      (shard) => shard.transact({ ...this.#scope(), transaction }),
      ({ verdict }) =>
        verdict.outcome === "fail"
          ? []
          : verdict.results.filter(changed).map(({ key }) => ({
              key,
              verdict: { ...verdict, version: 0, existed: false } as Verdict,
            })),
    );
  }

  #mutation(key: string): Extract<Mutation, { kind: "set" | "delete" }> {
    const opId = this.#opId();
    const random = this.#random;
    return random.below(4) === 0 ? { kind: "delete", opId, key } : this.#set(key);
  }

  #set(key: string): Extract<Mutation, { kind: "set" }> {
    const random = this.#random;
    return {
      kind: "set",
      opId: this.#opId(),
      key,
      payload: { bytes: utf8(`v${++this.#values}`), contentType: "text/plain" },
      ...(random.below(6) === 0 && { expiresInMs: 1 + random.below(2_000) }),
      ...(random.below(6) === 0 && { tags: [`t${random.below(3)}`] }),
    };
  }

  async #call<R extends object>(
    send: (shard: Shard) => Promise<R | Refusal>,
    told: (reply: Exclude<R, Refusal>) => readonly { readonly key: string; readonly verdict: Verdict }[],
  ): Promise<void> {
    const sql = this.#sql;
    const { losses } = this.#storage;
    let reply: R | Refusal;
    try {
      reply = await send(this.#shard);
    } catch {
      return;
    }
    // What an instance that is not any more would say reaches nobody.
    if (sql.state !== "alive" || isRefusal(reply)) return;
    for (const { key, verdict } of told(reply as Exclude<R, Refusal>)) {
      if (verdict.outcome === "fail" || verdict.revision === 0) continue;
      this.#figures.acknowledged++;
      this.#acknowledged.set(key, Math.max(this.#acknowledged.get(key) ?? 0, verdict.revision));
      if (verdict.storage === "pending") this.#figures.pending++;
      else if (this.#isThrough && losses === this.#storage.losses) {
        const there = this.#storage.position(0);
        const { last = 0 } =
          this.#raw.all("SELECT max(seq) AS last FROM log WHERE revision = ?", verdict.revision)[0] ?? {};
        const place = { revision: verdict.revision, seq: Number(last) };
        if (there === null || isAfter(place, there))
          this.#trouble(
            `a write at ${JSON.stringify(place)} was said to be in the storage, which is at ${JSON.stringify(there)}`,
          );
      }
    }
  }

  /** The instance ends, with or without what was not durable yet; calls on their way to the storage go on. */
  #end(): void {
    this.#sql.die(this.#random.below(2) === 0);
    this.#sql = this.#undurable(this.#raw);
    this.#shard = this.#start();
  }

  #start(): Shard {
    this.#figures.instances++;
    if (this.#ringing !== undefined) this.#alarmMs = this.#clock.now();
    this.#ringing = undefined;
    const sql = this.#sql;
    const clock = this.#clock;
    return new Shard({
      sql,
      clock,
      random: this.#random,
      timers: {
        after: (delayMs, run) =>
          clock.after(delayMs, () => {
            if (sql.state === "alive") run();
          }),
      },
      alarm: {
        set: (atMs) => {
          this.#alarmMs = Math.min(this.#alarmMs ?? atMs, atMs);
        },
      },
      durable: () => sql.settled(),
      wipe: async () => dropAll(sql),
      databaseBytes: () => 0,
      home: () => this.#shard,
      maxValueBytes: 1_048_576,
      logMaxEntries: 100_000,
      logMaxAgeMs: 86_400_000,
      statics: [],
      backings: memoryRegistry(() =>
        memoryBacking({
          clock,
          timers: clock,
          storage: this.#storage,
          faults: () => this.#fault(),
          maxBatchBytes: 300,
        }),
      ),
    });
  }

  #fault(): MemoryFault | undefined {
    const random = this.#random;
    const late = random.below(6) === 0 ? { copyAfterMs: random.below(3_000) } : {};
    switch (this.#weather) {
      case "fair":
        return random.below(2) === 0
          ? undefined
          : { beforeMs: random.below(5), afterMs: random.below(5), ...late };
      case "slow":
        return { beforeMs: random.below(12_000), afterMs: random.below(200), ...late };
      case "lossy":
        return { beforeMs: random.below(20), lose: random.pick(["before", "after", "after"]), ...late };
      case "down":
        return { beforeMs: random.below(20), lose: "before" };
    }
  }

  /** Another replica takes over before it has heard of the newest batches. */
  #loseTail(): void {
    // Not while the storage has what the log has lost: where both go back, their positions say nothing.
    if (this.#setBackIn === this.#epoch) return;
    if (this.#storage.forgetTail(1 + this.#random.below(4)) > 0) this.#storage.lost();
  }

  #empty(): void {
    while (!this.#storage.clear());
    this.#storage.lost();
  }

  #takeBackup(): void {
    if (!this.#sql.isDirty) this.#backup = { dump: dump(this.#raw), losses: this.#storage.losses };
  }

  /** The shard's database is what it was at its last backup: what was acknowledged since is lost, and everybody knows. */
  async #setBack(): Promise<void> {
    if (this.#backup === undefined || this.#backup.losses !== this.#storage.losses) return;
    this.#sql.die(true);
    // It takes longer than any call is late.
    await this.#clock.advance(30_000);
    restore(this.#raw, this.#backup.dump);
    this.#setBackIn = this.#epoch;
    // It may have given the same revisions again before it meets the storage.
    if (this.#random.below(2) === 0) this.#weather = "down";
    this.#figures.restores++;
    this.#acknowledged.clear();
    this.#storage.lost();
    this.#sql = this.#undurable(this.#raw);
    this.#shard = this.#start();
  }

  async #checkUsage(): Promise<void> {
    const sql = this.#sql;
    // What is confirmed is counted as waiting until that is durable.
    sql.flush();
    await this.#clock.settle();
    if (sql.isDirty) return;
    const reply = await this.#shard.usage(this.#scope()).catch(() => undefined);
    if (
      sql.state !== "alive" ||
      sql.isDirty ||
      reply === undefined ||
      isRefusal(reply) ||
      reply.outbox === undefined
    )
      return;
    const [row] = this.#raw.all(
      "SELECT count(*) AS entries, ifnull(sum(length(key) + ifnull(length(value), 0)), 0) AS bytes FROM outbox",
    );
    const { entries, bytes } = reply.outbox;
    if (entries !== row?.entries || bytes !== row.bytes)
      this.#fail(
        `${entries} entries of ${bytes} bytes are said to wait: they are ${row?.entries} of ${row?.bytes}`,
      );
  }

  /** All goes well again: the storage becomes what the shard is, whatever has happened. */
  async #heal(): Promise<void> {
    this.#weather = "down";
    for (let call = 0; call < 4; call++) this.#write();
    // Before anything was sent, or after that has failed.
    if (this.#random.below(2) === 0) await this.#pass(100);
    await this.#clock.settle();
    this.#sql.flush();
    this.#end();
    // What is lost last, nobody writes again.
    const last = this.#isRough ? this.#random.below(5) : 4;
    if (last < 2) await this.#setBack();
    else if (last === 2) this.#loseTail();
    else if (last === 3) this.#empty();
    this.#weather = "fair";
    // What either side has lost is noticed when there is something to be told. Else nobody calls any more: the alarm has to do.
    if (this.#isRough)
      await this.#insist(async () => {
        const reply = await this.#shard.mutate({ ...this.#scope(), mutations: [this.#set("last")] });
        return !isRefusal(reply) && reply.verdicts[0]?.outcome === "ok";
      });
    await this.#insist(async () => {
      const [row] = this.#raw.all("SELECT count(*) AS entries FROM outbox");
      const mark = this.#raw.all("SELECT value FROM meta WHERE name = 'storage'")[0];
      return row?.entries === 0 && !String(mark?.value).includes("refill");
    });
    // Copies that are late have come by then.
    for (let second = 0; second < 20; second++) await this.#pass(1_000);
    await this.#compare();
  }

  async #insist(done: () => Promise<boolean>): Promise<void> {
    for (let tries = 0; tries < 60; tries++) {
      const trial = { is: false };
      void done().then(
        (is) => {
          trial.is = is;
        },
        () => {},
      );
      for (let wait = 0; wait < 10 && !trial.is; wait++) {
        this.#sql.flush();
        await this.#pass(200);
      }
      if (trial.is) return;
    }
    const [row] = this.#raw.all("SELECT count(*) AS entries FROM outbox");
    const reply = await Promise.race([this.#shard.usage(this.#scope()), this.#clock.settle()]);
    this.#fail(`it has not settled: ${row?.entries} entries wait; ${JSON.stringify(reply)}`);
  }

  async #compare(): Promise<void> {
    const nowMs = this.#clock.now();
    const rows = this.#raw.all(
      "SELECT key, version, value, tags FROM keys WHERE expires_at IS NULL OR expires_at > ? ORDER BY key",
      nowMs,
    );
    const epoch = this.#epoch;
    const held = rows.map(
      ({ key, version, value, tags }) =>
        `${fromUtf8(key as Uint8Array)}@${version}=${fromUtf8(value as Uint8Array)} ${tags ?? "[]"}`,
    );
    const stored = this.#storage
      .entries()
      .filter(
        ({ expiresAtMs, stamp }) =>
          (expiresAtMs === undefined || expiresAtMs > nowMs) && stamp?.epoch === epoch,
      )
      .map(
        ({ key, stamp, payload, tags = [] }) =>
          `${key}@${stamp?.version}=${fromUtf8(payload.bytes)} ${JSON.stringify(tags)}`,
      );
    if (held.join("\n") !== stored.join("\n"))
      this.#fail(`the shard holds ${held.join(", ")}; the storage has ${stored.join(", ")}`);
    for (const [key, revision] of this.#acknowledged) {
      const version = rows.find((row) => fromUtf8(row.key as Uint8Array) === key)?.version ?? 0;
      const told = this.#raw.all(
        "SELECT max(revision) AS last FROM log WHERE key = ? AND kind IN ('set', 'delete', 'expire')",
        utf8(key),
      )[0]?.last;
      if (Number(told) < revision || (version !== 0 && version !== told))
        this.#fail(
          `${key} was acknowledged at ${revision}; the log has it at ${told}, the table at ${version}`,
        );
    }
    for (const trouble of this.#storage.troubles) this.#fail(trouble);
    if (this.#storage.losses === 0) this.#compareLog();
  }

  /** Each entry came once, in order, and none was left out. */
  #compareLog(): void {
    const written = this.#raw
      .all("SELECT revision, seq FROM log WHERE kind IN ('set', 'delete', 'expire') ORDER BY revision, seq")
      .map(({ revision, seq }) => `${revision}.${seq}`);
    const { places } = this.#storage;
    if (written.join() !== places.join())
      this.#fail(`the log has ${written.join(" ")}; the storage was told ${places.join(" ")}`);
  }

  /** Something is wrong that is noticed where nobody waits. */
  #trouble(what: string): void {
    this.#storage.troubles.push(what);
  }

  get #epoch(): string {
    return String(this.#raw.all("SELECT value FROM meta WHERE name = 'epoch'")[0]?.value);
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.#seed}: ${what}`);
  }
}

/** A deletion of what is not there is no change. */
function changed(result: OperationResult): boolean {
  return result.kind !== "get" && (result.existed || result.version > 0);
}
