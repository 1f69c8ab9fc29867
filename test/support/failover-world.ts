import type { Failover } from "../../src/adapter/failover/failover.ts";
import { isWarpError } from "../../src/errors.ts";
import type { Fallback } from "../../src/fallback/fallback.ts";
import { fromUtf8, utf8 } from "../../src/runtime/bytes.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { FailoverBed, type FailoverNode, type Reach } from "./failover-bed.ts";
import { type Seeded, seeded } from "./seeded.ts";
import { expectReply } from "./shard-bed.ts";

/** What a world plants: a bug on the nodes' side, or on the way between. */
export interface Plant {
  readonly node?: (failover: Failover) => void;
  readonly fallback?: (fallback: Fallback) => Fallback;
  /** In place of the shard's reading of its stream when it is asked to. */
  readonly deaf?: true;
  /** Changes classes; gives what changes them back. */
  readonly classes?: () => () => void;
}

/** What happened, for a test to see that enough did. */
export interface WorldFigures {
  acknowledged: number;
  provisional: number;
  unknown: number;
  refused: number;
  fresh: number;
  marked: number;
  unread: number;
}

interface Write {
  readonly node: number;
  readonly value: number;
  readonly fate: "ok" | "provisional" | "unknown" | "fail";
}

interface Read {
  readonly node: number;
  readonly key: string;
  readonly value: number;
  readonly isMarked: boolean;
  readonly begunMs: number;
  /** The highest value that this node had seen of the key when it began. */
  readonly least: number;
}

const nodes = 3;
const boundMs = 5_000;

/**
 * Nodes that write and read while their ways to the shard and to the stream break, fall silent and come back, each for itself. Each node counts up in keys of its own, sets and appends, so
 * that a value tells which write it is from. Gives what is wrong; nothing: no promise was broken.
 */
export async function runFailoverWorld(sql: Sql, seed: number, plant: Plant = {}) {
  const random = seeded(seed);
  const world = new World(await new FailoverBed(sql).create(), random, plant);
  const restore = plant.classes?.();
  try {
    return await world.run();
  } finally {
    restore?.();
  }
}

class World {
  readonly wrong: string[] = [];
  readonly figures: WorldFigures = {
    acknowledged: 0,
    provisional: 0,
    unknown: 0,
    refused: 0,
    fresh: 0,
    marked: 0,
    unread: 0,
  };
  readonly #bed: FailoverBed;
  readonly #random: Seeded;
  readonly #plant: Plant;
  readonly #nodes: FailoverNode[] = [];
  readonly #streamTrouble: boolean[] = [];
  /** By key: all writes, in the order of their beginning. */
  readonly #writes = new Map<string, Write[]>();
  /** By node and key: the highest value that was read or acknowledged there. */
  readonly #seen = new Map<string, number>();
  /** By key: the value that the shard had, and since when. */
  readonly #committed = new Map<string, { readonly atMs: number; readonly value: number }[]>();
  readonly #reads: Read[] = [];
  #value = 0;
  #isOver = false;

  constructor(bed: FailoverBed, random: Seeded, plant: Plant) {
    this.#bed = bed;
    this.#random = random;
    this.#plant = plant;
    bed.drains = plant.deaf !== true;
    bed.shardFaults = () => this.#streamFault(nodes);
  }

  async run() {
    const bed = this.#bed;
    for (let at = 0; at < nodes; at++) {
      this.#streamTrouble.push(false);
      const node = await bed.node(
        {},
        {
          faults: () => this.#streamFault(at),
          ...(this.#plant.fallback && { wrap: this.#plant.fallback }),
        },
      );
      // Some take so long that much happens meanwhile.
      node.delayMs = () => this.#random.below(this.#random.below(40) === 0 ? 2_500 : 20);
      if (node.failover !== undefined) this.#plant.node?.(node.failover);
      this.#nodes.push(node);
    }
    const [first] = this.#nodes;
    const setUp = Promise.all([
      first?.warp.register("l:*", { merge: "append", mergeMaxElements: 10_000 }),
      first?.warp.register("s:*", { mode: "strong", history: { versions: 10_000 } }),
      first?.warp.register("o:*", { history: { versions: 10_000 } }),
    ]).then(() => Promise.all(this.#nodes.map(({ warp }, at) => warp.set(`meet:${at}`, 1))));
    await this.#until(setUp);
    const actors = this.#nodes.flatMap((_, at) => [this.#writer(at), this.#reader(at)]);
    for (let turn = 0; turn < 60; turn++) {
      this.#shake();
      await bed.clock.advance(this.#random.below(800));
    }
    this.#isOver = true;
    for (const [at, node] of this.#nodes.entries()) {
      node.reach = "up";
      node.delayMs = () => 1;
      this.#streamTrouble[at] = false;
    }
    await this.#until(Promise.all(actors));
    // Also who is asked by nobody looks into its stream once a minute.
    await bed.clock.advance(120_000);
    await this.#judgeEnd();
    for (const error of bed.reported) this.wrong.push(`failed behind: ${String(error)}`);
    return { wrong: this.wrong, figures: this.figures };
  }

  #shake(): void {
    const random = this.#random;
    for (const [at, node] of this.#nodes.entries()) {
      if (random.below(5) === 0) {
        const reaches: Reach[] = ["up", "up", "up", "down", "down", "lost after", "silent"];
        node.reach = random.pick(reaches);
      }
      if (random.below(10) === 0) this.#streamTrouble[at] = random.below(3) === 0;
    }
  }

  #streamFault(at: number) {
    const random = this.#random;
    const delays = { delayMs: random.below(15), answerMs: random.below(15) };
    if (this.#streamTrouble[at] !== true || random.below(2) === 0) return delays;
    return { ...delays, lost: random.pick(["before", "after"] as const) };
  }

  async #writer(at: number): Promise<void> {
    while (!this.#isOver) {
      await this.#pause();
      const key = this.#random.pick([`o:${at}`, `o:${at}`, `l:${at}`, `l:${at}`, `s:${at}`]);
      if (key.startsWith("l:") && this.#random.below(3) === 0) {
        await this.#writeSeveral(at, key);
        continue;
      }
      const value = ++this.#value;
      const warp = this.#nodes[at]?.warp;
      if (warp === undefined) return;
      let fate: Write["fate"];
      try {
        const done = key.startsWith("l:") ? await warp.merge(key, [value]) : await warp.set(key, value);
        fate = done.provisional === true ? "provisional" : "ok";
        this.figures.acknowledged++;
        if (fate === "provisional") this.figures.provisional++;
        if (fate === "provisional" && key.startsWith("s:"))
          this.wrong.push(`a strong write was taken provisionally: ${key}`);
        if (key.startsWith("o:")) this.#see(at, key, value);
      } catch (error) {
        if (!isWarpError(error)) throw error;
        fate = error.outcome;
        if (fate === "unknown") this.figures.unknown++;
        else this.figures.refused++;
      }
      this.#note(key, { node: at, value, fate });
      if (fate === "provisional" && key.startsWith("o:")) await this.#readOwn(at, key);
    }
  }

  /** Several changes in one call: they stand in its order. */
  async #writeSeveral(at: number, key: string): Promise<void> {
    const values = Array.from({ length: 3 }, () => ++this.#value);
    const operations = values.map((value) => ({
      op: "merge" as const,
      key,
      operand: { bytes: utf8(`[${value}]`), contentType: "application/json" },
    }));
    const results = (await this.#nodes[at]?.warp.batch(operations).catch(() => [])) ?? [];
    for (const [i, value] of values.entries()) {
      const result = results[i];
      // What befalls a whole call, its registrations for one, is told before anything is sent.
      if (result === undefined || "error" in result)
        this.#note(key, { node: at, value, fate: result?.error.outcome ?? "fail" });
      else if ("result" in result)
        this.#note(key, { node: at, value, fate: result.result.provisional === true ? "provisional" : "ok" });
    }
  }

  /** What waits can be read as long as it waits. */
  async #readOwn(at: number, key: string): Promise<void> {
    const node = this.#nodes[at];
    const place = node?.failover?.around.drain(0);
    try {
      await node?.warp.get(key);
    } catch {
      if (place !== undefined && node?.failover?.around.drain(0) === place)
        this.wrong.push(`node ${at} can't read ${key}, which waits`);
    }
  }

  #note(key: string, write: Write): void {
    this.#writes.set(key, [...(this.#writes.get(key) ?? []), write]);
  }

  async #reader(at: number): Promise<void> {
    while (!this.#isOver) {
      await this.#pause();
      const owner = this.#random.below(nodes);
      const key = this.#random.pick([`o:${owner}`, `o:${owner}`, `s:${owner}`]);
      const begunMs = this.#bed.clock.now();
      const least = this.#seen.get(`${at} ${key}`) ?? 0;
      try {
        const found = await this.#nodes[at]?.warp.lookup<number>(key);
        if (found === undefined) return;
        const value = found.value ?? 0;
        const isMarked = found.provisional === true || ("stale" in found && found.stale);
        if (isMarked) this.figures.marked++;
        else this.figures.fresh++;
        const strong = key.startsWith("s:");
        if (strong && isMarked) this.wrong.push(`a strong read was marked: ${key}`);
        this.#reads.push({ node: at, key, value, isMarked, begunMs, least });
        this.#see(at, key, value);
      } catch (error) {
        if (!isWarpError(error)) throw error;
        this.figures.unread++;
      }
    }
  }

  async #judgeEnd(): Promise<void> {
    await this.#learnCommits();
    this.#judgeReads();
    for (const [at, { warp }] of this.#nodes.entries()) {
      for (const key of this.#writes.keys()) {
        const shard = await this.#bed.bed.text(key);
        const found = await this.#until(warp.lookup(key));
        const isMarked = found.provisional === true || ("stale" in found && found.stale);
        if (isMarked) this.wrong.push(`node ${at} still marks ${key}`);
        const text = found.value === undefined ? undefined : JSON.stringify(found.value);
        if (text !== shard) this.wrong.push(`node ${at} has ${text} of ${key}, the shard ${shard}`);
      }
    }
    for (const [key, writes] of this.#writes) {
      const stored = JSON.parse((await this.#bed.bed.text(key)) ?? "null") as number | number[] | null;
      if (key.startsWith("l:")) this.#judgeList(key, writes, (stored ?? []) as number[]);
      else this.#judgeValue(key, writes, stored as number | null);
    }
  }

  #judgeList(key: string, writes: readonly Write[], list: readonly number[]): void {
    for (const { value, fate } of writes) {
      const times = list.filter((one) => one === value).length;
      const isRight = fate === "fail" ? times === 0 : fate === "unknown" ? times <= 1 : times === 1;
      if (!isRight) this.wrong.push(`${value} stands ${times} times in ${key} after ${fate}`);
    }
    const certain = writes.filter(({ fate }) => fate === "ok" || fate === "provisional");
    const order = list.filter((value) => certain.some((write) => write.value === value));
    if (order.join() !== certain.map(({ value }) => value).join())
      this.wrong.push(`the order of ${key} is ${order.join()}`);
  }

  /** The last acknowledged one, or an unknown one, which may come at any time. */
  #judgeValue(key: string, writes: readonly Write[], stored: number | null): void {
    const acknowledged = writes.filter(({ fate }) => fate === "ok" || fate === "provisional");
    const last = acknowledged.at(-1)?.value ?? null;
    const open = writes.filter(({ fate }) => fate === "unknown").map(({ value }) => value);
    if (stored !== last && !(stored !== null && open.includes(stored)))
      this.wrong.push(`${key} ends as ${stored}, not as ${last}`);
  }

  /** The reads, by what the shard had when: strong ones are the newest, those without a mark within their bound, and nobody reads back. */
  #judgeReads(): void {
    for (const { node, key, value, isMarked, begunMs, least } of this.#reads) {
      const strong = key.startsWith("s:");
      // An older write may be the newer one at the shard: one of unknown fate, that came late.
      if (!strong && value < least && !this.#isBefore(key, least, value))
        this.wrong.push(`node ${node} read ${value} of ${key} after ${least}, ${isMarked}`);
      const due = this.#committedAt(key, strong ? begunMs - 1 : begunMs - boundMs);
      if (!isMarked && this.#isBefore(key, value, due))
        this.wrong.push(`node ${node} was given ${value} of ${key} unmarked, ${due} was due`);
    }
  }

  /** What the shard had when, as it has kept it itself. */
  async #learnCommits(): Promise<void> {
    const { bed } = this.#bed;
    for (const key of this.#writes.keys()) {
      if (key.startsWith("l:")) continue;
      const { versions } = expectReply(await bed.shard.history({ ...bed.scope(), key, limit: 1_000 }));
      const commits: { readonly atMs: number; readonly value: number }[] = [];
      for (const { version, atMs } of [...versions].reverse()) {
        const { found } = expectReply(
          await bed.shard.readVersion({ ...bed.scope(), key, which: { version } }),
        );
        const value = found?.payload === undefined ? 0 : Number(fromUtf8(found.payload.bytes));
        commits.push({ atMs, value });
      }
      this.#committed.set(key, commits);
    }
  }

  /** Whether the shard had `value` before `due`, and not after it: a write of unknown fate may come late. */
  #isBefore(key: string, value: number, due: number): boolean {
    const order = (this.#committed.get(key) ?? []).map((commit) => commit.value);
    return order.lastIndexOf(value) < order.lastIndexOf(due);
  }

  #committedAt(key: string, atMs: number): number {
    const commits = this.#committed.get(key) ?? [];
    return commits.filter((commit) => commit.atMs <= atMs).at(-1)?.value ?? 0;
  }

  #see(at: number, key: string, value: number): void {
    const place = `${at} ${key}`;
    this.#seen.set(place, Math.max(this.#seen.get(place) ?? 0, value));
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => void this.#bed.clock.after(this.#random.below(300), resolve));
  }

  async #until<T>(work: Promise<T>): Promise<T> {
    let over = false;
    work.then(
      () => (over = true),
      () => (over = true),
    );
    await this.#bed.clock.settle();
    for (let turn = 0; !over && turn < 20_000; turn++) await this.#bed.clock.advance(10);
    if (!over) throw new Error("it never ends");
    return await work;
  }
}
