import { isWarpError } from "../../../src/errors.ts";
import type { Fallback, StreamPlace } from "../../../src/fallback/fallback.ts";
import { memoryFallback } from "../../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../../src/fallback/memory/memory-streams.ts";
import type { StreamFault } from "../../../src/fallback/memory/stream-faults.ts";
import { comparePlaces, laterPlace } from "../../../src/fallback/place.ts";
import type { StoredRegistration } from "../../../src/protocol/registration.ts";
import {
  type CallScope,
  isRefusal,
  type Mutation,
  type Refusal,
  scopeOpId,
} from "../../../src/protocol/shard-api.ts";
import { fromUtf8, utf8 } from "../../../src/runtime/bytes.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { openFollower } from "../../../src/shard/fallback/follower.ts";
import type { FollowerParts, OpenFollower } from "../../../src/shard/follow-slot.ts";
import { dropAll } from "../../../src/shard/schema.ts";
import { Shard } from "../../../src/shard/shard.ts";
import type { UndurableSql } from "../../support/savepoint-sql.ts";
import { type Seeded, seeded } from "../../support/seeded.ts";
import { virtualClock } from "../../support/virtual-clock.ts";

/** A bug to be found. */
export interface Plant {
  readonly name: string;
  /** What the shard has for a stream. */
  readonly stream?: (fallback: Fallback) => Fallback;
  /** What the shard's part for the stream works with. */
  readonly parts?: (parts: FollowerParts) => FollowerParts;
  readonly follower?: (follower: ReturnType<OpenFollower>) => ReturnType<OpenFollower>;
}

/** What a world came to, for figures. */
export interface StreamRun {
  readonly instances: number;
  readonly direct: number;
  readonly provisional: number;
  /** Proposed, though the shard had carried the direct try out. */
  readonly both: number;
  readonly unknown: number;
  readonly refused: number;
  readonly drained: number;
  readonly repeats: number;
  readonly outages: number;
  readonly losses: number;
}

type Weather = "fair" | "slow" | "lossy" | "down";

/** One appended element and what its node was told. */
interface Issued {
  readonly node: number;
  readonly key: string;
  readonly order: number;
  outcome: "open" | "ok" | "unknown" | "fail";
  place?: StreamPlace;
}

const keys = ["l1", "l2"];
const lists: StoredRegistration = {
  pattern: "l*",
  settings: {
    mode: "eventual",
    cacheTtlMs: 1_000,
    maxStalenessMs: 1_000,
    merge: "append",
    mergeMaxElements: 10_000,
  },
  version: 0,
  source: "static",
};

/**
 * Nodes that append to lists at a shard, or propose it where they can't reach that: ways break and mend, requests and answers are late or lost, instances of the shard end at any moment
 * (with or without what was not durable), the shard is cut off from the stream for longer than verdicts are kept. What the lists hold says what took effect, how often and in which order.
 */
export class StreamWorld {
  readonly #seed: number;
  readonly #random: Seeded;
  readonly #clock = virtualClock(1_700_000_000_000);
  readonly #storageTime = { aheadMs: 0 };
  readonly #streams: MemoryStreams;
  readonly #raw: Sql;
  readonly #undurable: (sql: Sql) => UndurableSql;
  readonly #plant: Plant;
  readonly #isRough: boolean;
  readonly #issued = new Map<number, Issued>();
  readonly #excused = new Set<number>();
  /** Places of proposals that the shard could tell too late from what it had applied. */
  readonly #late = new Set<StreamPlace>();
  readonly #executed = new Set<number>();
  #sql: UndurableSql;
  #shard: Shard;
  #alarmMs: number | undefined;
  #spaceId = "";
  #reachable = [true, true, true];
  #shardWeather: Weather = "fair";
  #nodeWeather: Weather = "fair";
  #isOver = false;
  /** Nodes do nothing for a while. */
  #isQuiet = false;
  #restore: (() => void) | undefined;
  /** The newest place that was given before the stream lost its tail. */
  #lostHead: StreamPlace | undefined;
  #problem: string | undefined;
  #orders = 0;
  #figures = {
    instances: 0,
    direct: 0,
    provisional: 0,
    both: 0,
    unknown: 0,
    refused: 0,
    drained: 0,
    repeats: 0,
    outages: 0,
    losses: 0,
  };

  constructor(
    sql: Sql,
    seed: number,
    undurable: (sql: Sql) => UndurableSql,
    plant: Plant = { name: "none" },
  ) {
    this.#seed = seed;
    this.#random = seeded(seed);
    this.#raw = sql;
    this.#undurable = undurable;
    this.#plant = plant;
    this.#isRough = this.#random.below(3) === 0;
    this.#streams = new MemoryStreams({ now: () => this.#clock.now() + this.#storageTime.aheadMs });
    this.#sql = undurable(sql);
    this.#shard = this.#start();
  }

  /** Throws what went wrong, with the seed. */
  async run(steps = 60): Promise<StreamRun> {
    const made = this.#shard.createSpace("test", { fallback: "memory" });
    await this.#pass(50);
    this.#sql.flush();
    const reply = await made;
    if (isRefusal(reply)) throw new Error(reply.refused.message);
    this.#spaceId = reply.space.id;
    const nodes = this.#reachable.map((_, node) => this.#live(node));
    for (let step = 0; step < steps; step++) {
      await this.#step();
      if (this.#problem !== undefined) this.#fail(this.#problem);
    }
    await this.#heal();
    await Promise.all(nodes);
    await this.#judge();
    return this.#figures;
  }

  async #step(): Promise<void> {
    const random = this.#random;
    const die = random.below(100);
    if (die < 25) {
      const node = random.below(this.#reachable.length);
      this.#reachable[node] = !this.#reachable[node];
    } else if (die < 40) this.#shardWeather = random.pick(["fair", "fair", "slow", "lossy", "down"]);
    else if (die < 50) this.#nodeWeather = random.pick(["fair", "fair", "slow", "lossy"]);
    else if (die < 66) this.#end();
    else if (die < 70) await this.#outage();
    else if (die < 80 && this.#isRough) this.#takeSnapshot();
    else if (die < 92 && this.#isRough) this.#loseTail();
    await this.#pass(random.pick([1, 5, 20, 100, 400, 1_500, 5_000]));
  }

  /** The shard can't read the stream for longer than verdicts are kept otherwise, while nodes go on proposing for a while. */
  async #outage(): Promise<void> {
    this.#figures.outages++;
    this.#shardWeather = "down";
    await this.#pass(3_000);
    this.#isQuiet = true;
    for (let minute = 0; minute < 8; minute++) {
      await this.#clock.advance(60_000);
      await this.#pass(200);
    }
    this.#isQuiet = false;
    this.#shardWeather = "fair";
  }

  /** Time passes: what is written becomes durable sooner or later, alarms ring. */
  async #pass(ms: number): Promise<void> {
    const untilMs = this.#clock.now() + ms;
    do {
      if (this.#random.below(3) > 0) this.#sql.flush();
      await this.#clock.advance(
        Math.min(1 + this.#random.below(40), Math.max(0, untilMs - this.#clock.now())),
      );
      if (this.#alarmMs !== undefined && this.#alarmMs <= this.#clock.now()) {
        this.#alarmMs = undefined;
        void this.#shard.onAlarm().catch(() => {});
      }
    } while (this.#clock.now() < untilMs);
    await this.#clock.settle();
  }

  /** One node's life: one thing after the other. */
  async #live(node: number): Promise<void> {
    const random = this.#random;
    const way = memoryFallback({
      streams: this.#streams,
      timers: this.#clock,
      faults: (call) => (call === "append" ? this.#fault(this.#nodeWeather) : undefined),
    });
    let drain: StreamPlace | undefined;
    while (!this.#isOver) {
      await this.#sleep(random.pick([1, 10, 50, 300, 2_000]));
      if (this.#isQuiet) continue;
      const key = random.pick(keys);
      if (random.below(4) === 0) {
        await this.#read(node, key, drain);
        continue;
      }
      const order = this.#orders++;
      const issued: Issued = { node, key, order, outcome: "open" };
      this.#issued.set(order, issued);
      const mutation: Mutation = {
        kind: "merge",
        opId: scopeOpId("test", uuidv7(this.#clock, random)),
        key,
        operand: { bytes: utf8(`${order}`), contentType: "application/json" },
      };
      let isUnknown = false;
      if (this.#reachable[node]) {
        const tried = await this.#try(order, mutation, drain);
        if (tried === "ok") {
          issued.outcome = "ok";
          this.#figures.direct++;
          continue;
        }
        if (tried === "refused") {
          issued.outcome = "fail";
          this.#figures.refused++;
          continue;
        }
        isUnknown = true;
      }
      const place = await this.#propose(node, way, mutation);
      if (typeof place === "string") {
        issued.outcome = "ok";
        issued.place = place;
        drain = laterPlace(drain, place);
        this.#figures.provisional++;
        if (this.#executed.has(order)) this.#figures.both++;
      } else {
        issued.outcome = isUnknown || place.isUnknown ? "unknown" : "fail";
        this.#figures[issued.outcome === "unknown" ? "unknown" : "refused"]++;
      }
    }
  }

  /** The direct try: what is not answered within a second may come at any time, or never. */
  async #try(
    order: number,
    mutation: Mutation,
    drain: StreamPlace | undefined,
  ): Promise<"ok" | "refused" | "unanswered"> {
    const reply = await this.#call(drain, async (shard, scope) => {
      const given = await shard.mutate({ ...scope, mutations: [mutation] });
      if (!isRefusal(given) && given.verdicts[0]?.outcome === "ok") this.#executed.add(order);
      return given;
    });
    if (reply === undefined) return "unanswered";
    if (isRefusal(reply)) return "refused";
    const [verdict] = reply.verdicts;
    return verdict?.outcome === "ok" ? "ok" : "refused";
  }

  async #propose(
    node: number,
    way: Fallback,
    mutation: Mutation,
  ): Promise<StreamPlace | { readonly isUnknown: boolean }> {
    let isUnknown = false;
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        const proposal = {
          mutation,
          spaceId: this.#spaceId,
          registrations: 0,
          node: `n${node}`,
          atMs: this.#clock.now(),
        };
        const [place = ""] = await way.append(0, [proposal], { timeoutMs: 400 });
        return place;
      } catch (error) {
        if (!isWarpError(error)) throw error;
        if (error.outcome === "unknown") isUnknown = true;
        else if (!error.retryable) break;
        this.#figures.repeats++;
      }
    }
    return { isUnknown };
  }

  /** A node that has said what it proposed is never shown less. */
  async #read(node: number, key: string, drain: StreamPlace | undefined): Promise<void> {
    if (!this.#reachable[node]) return;
    const own = [...this.#issued.values()].filter(
      (one) => one.node === node && one.key === key && one.outcome === "ok",
    );
    const reply = await this.#call(drain, (shard, scope) => shard.read({ ...scope, keys: [key] }));
    if (reply === undefined || isRefusal(reply)) return;
    if (drain !== undefined) this.#figures.drained++;
    const seen = new Set(elements(reply.entries[0]?.payload.bytes));
    const missing = own.find((one) => !seen.has(one.order) && !this.#isExcused(one));
    if (missing !== undefined) this.#problem ??= `node ${node} does not see its ${missing.order} in ${key}`;
  }

  /** A call over a way that delays and loses what it carries; undefined: no answer in time. What an instance says leaves it when what it has written is durable. */
  #call<R extends object>(
    drain: StreamPlace | undefined,
    send: (shard: Shard, scope: CallScope) => Promise<R | Refusal>,
  ): Promise<R | Refusal | undefined> {
    const random = this.#random;
    const scope: CallScope = {
      space: "test",
      shard: 0,
      spaceId: this.#spaceId,
      registrations: 0,
      ...(drain !== undefined && { drain }),
    };
    const isLate = random.below(8) === 0;
    const thereMs = isLate ? random.pick([900, 1_500, 5_000, 100_000, 290_000, 400_000]) : random.below(20);
    const isLostThere = random.below(12) === 0;
    const isLostBack = random.below(6) === 0;
    return new Promise((resolve) => {
      this.#clock.after(1_000, () => resolve(undefined));
      if (isLostThere) return;
      this.#clock.after(thereMs, () => {
        const sql = this.#sql;
        void send(this.#shard, scope)
          .then(async (reply) => {
            await sql.settled();
            if (sql.state === "alive" && !isLostBack)
              this.#clock.after(random.below(20), () => resolve(reply));
          })
          .catch(() => {});
      });
    });
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  #fault(weather: Weather): StreamFault | undefined {
    const random = this.#random;
    switch (weather) {
      case "fair":
        return random.below(2) === 0 ? undefined : { delayMs: random.below(10), answerMs: random.below(10) };
      case "slow":
        return {
          delayMs: random.pick([5, 100, 1_000, 6_000, 200_000, 350_000]),
          answerMs: random.below(500),
        };
      case "lossy":
        return { delayMs: random.below(20), lost: random.pick(["before", "after", "after"]) };
      case "down":
        return { delayMs: random.below(20), lost: "before" };
    }
  }

  /** The instance ends, with or without what was not durable yet; its calls on their way to the stream go on. */
  #end(): void {
    this.#sql.die(this.#random.below(2) === 0);
    this.#sql = this.#undurable(this.#raw);
    this.#shard = this.#start();
  }

  #start(): Shard {
    this.#figures.instances++;
    const sql = this.#sql;
    const clock = this.#clock;
    const {
      stream = (same) => same,
      parts: within = (same) => same,
      follower = (same) => same,
    } = this.#plant;
    const alive = (delayMs: number, run: () => void) =>
      clock.after(delayMs, () => {
        if (sql.state === "alive") run();
      });
    return new Shard({
      sql,
      clock,
      random: this.#random,
      timers: { after: alive },
      alarm: {
        set: (atMs) => {
          this.#alarmMs = Math.min(this.#alarmMs ?? atMs, atMs);
        },
      },
      durable: () => sql.settled(),
      wipe: async () => dropAll(sql),
      report: (_, facts) => this.#told(facts),
      databaseBytes: () => 0,
      home: () => this.#shard,
      maxValueBytes: 1_048_576,
      logMaxEntries: 1,
      logMaxAgeMs: 1_000,
      statics: [lists],
      fallbacks: {
        names: ["memory"],
        load: async () => ({
          openFollower: (parts, space, fallback) => follower(openFollower(within(parts), space, fallback)),
        }),
        open: () =>
          stream(
            memoryFallback({
              streams: this.#streams,
              // A dead instance hears no answers; what it has sent arrives.
              timers: clock,
              faults: () => this.#fault(this.#shardWeather),
            }),
          ),
      },
    });
  }

  /** Of a place that may have been given anew only an op id that is in its window tells that it was not applied: what is read later than that is refused, and told. */
  #told({ place, code }: { readonly place?: unknown; readonly code?: unknown }): void {
    if (code !== "op_id_expired" || typeof place !== "string" || this.#lostHead === undefined) return;
    if (comparePlaces(place, this.#lostHead) > 0) return;
    this.#late.add(place);
  }

  #isExcused({ order, place }: Issued): boolean {
    return this.#excused.has(order) || (place !== undefined && this.#late.has(place));
  }

  #takeSnapshot(): void {
    this.#restore = this.#streams.snapshot();
  }

  /** Another replica takes over that has not heard of what came last, and whose clock is behind. */
  #loseTail(): void {
    const { head } = this.#streams.read(0, undefined, 1);
    if (this.#restore === undefined || head === undefined) return;
    this.#restore();
    this.#restore = undefined;
    this.#lostHead = laterPlace(this.#lostHead, head);
    this.#figures.losses++;
    this.#storageTime.aheadMs = -this.#random.below(10_000);
    // What was acknowledged and not applied is lost for good, and nobody can tell.
    for (const { order, outcome, place } of this.#issued.values()) {
      if (outcome === "open" || place !== undefined) this.#excused.add(order);
    }
  }

  async #heal(): Promise<void> {
    this.#isOver = true;
    this.#reachable = this.#reachable.map(() => true);
    this.#shardWeather = "fair";
    this.#nodeWeather = "fair";
    // Until all that is late has come.
    for (let minute = 0; minute < 9; minute++) {
      await this.#pass(500);
      await this.#clock.advance(60_000);
    }
    await this.#pass(130_000);
    for (let turn = 0; turn < 20; turn++) await this.#pass(50);
    this.#sql.flush();
    await this.#clock.settle();
  }

  async #judge(): Promise<void> {
    for (const key of keys) {
      const asked = this.#shard.read({
        space: "test",
        shard: 0,
        spaceId: this.#spaceId,
        registrations: 0,
        keys: [key],
      });
      const reply = await asked;
      if (isRefusal(reply)) return this.#fail(`the shard refuses: ${reply.refused.message}`);
      const list = elements(reply.entries[0]?.payload.bytes);
      const times = new Map<number, number>();
      for (const order of list) times.set(order, (times.get(order) ?? 0) + 1);
      for (const [order, count] of times)
        if (count > 1) this.#fail(`${order} stands ${count} times in ${key}`);
      const issued = [...this.#issued.values()].filter((one) => one.key === key);
      for (const one of issued) {
        const { order, outcome } = one;
        if (outcome === "ok" && !times.has(order) && !this.#isExcused(one))
          this.#fail(`${order} is lost from ${key}`);
        if (outcome === "fail" && times.has(order)) this.#fail(`${order} had failed and stands in ${key}`);
        if (outcome === "open") this.#fail(`${order} was never answered`);
      }
      for (const node of this.#reachable.keys()) {
        const sure = new Set(
          issued.filter((one) => one.node === node && one.outcome === "ok").map(({ order }) => order),
        );
        const own = list.filter((order) => sure.has(order) && !this.#excused.has(order));
        if (own.some((order, at) => at > 0 && order < (own[at - 1] ?? 0))) {
          this.#fail(`node ${node}'s own in ${key} stand as ${own.join()}`);
        }
      }
    }
    const { proposals, head, applied } = this.#streams.read(0, undefined, 500);
    if (proposals.length > 0 || head !== applied) {
      this.#fail(`the stream is at ${head}, applied to ${applied}, and keeps ${proposals.length}`);
    }
    const usage = await this.#shard.usage({
      space: "test",
      shard: 0,
      spaceId: this.#spaceId,
      registrations: 0,
    });
    if (isRefusal(usage)) return this.#fail(usage.refused.message);
    if (!this.#isRough && usage.fallback?.losses !== 0)
      this.#fail(`losses are told: ${usage.fallback?.losses}`);
    if (usage.fallback?.error !== undefined)
      this.#fail(`the stream is in trouble: ${usage.fallback.error.message}`);
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.#seed}: ${what}`);
  }
}

function elements(bytes: Uint8Array | undefined): readonly number[] {
  return bytes === undefined ? [] : (JSON.parse(fromUtf8(bytes)) as number[]);
}
