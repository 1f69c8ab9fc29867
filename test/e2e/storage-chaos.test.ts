/** About 60 s with 8,000 writes; `npm run chaos` makes 20,000. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LocalRedis } from "../../scripts/redis-bridge/local-redis.ts";
import { newOpId, SpaceHttp } from "../support/http-client.ts";
import { redisOrSkip } from "../support/redis-bridge/needed.ts";
import { seeded } from "../support/seeded.ts";
import { eventually } from "../support/serve.ts";
import { Onlookers } from "../support/storage-chaos/onlookers.ts";
import { StoredSpace } from "../support/storage-chaos/stored.ts";
import { Weather } from "../support/storage-chaos/weather.ts";
import { ChaosTally, ChaosWriter } from "../support/storage-chaos/writer.ts";
import { Bed } from "../support/twin/bed.ts";
import type { IsolateNode } from "../support/twin/isolate.ts";

const writes = Number(process.env.WARP_CHAOS_WRITES ?? 8_000);
const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const kills = 5;
const eventualMs = 1_000;
const longestMs = 60_000 + writes * 10;
const counters = Array.from({ length: 8 }, (_, at) => `count:${at}`);

/** Spaces with Upstash behind their shards in each way that there is. */
const spaces = [
  { space: "behind", shards: 2, storage: { name: "upstash" } },
  { space: "through", shards: 1, storage: { name: "upstash", write: "through", throughTimeoutMs: 500 } },
  { space: "small", shards: 1, storage: { name: "upstash", keepBytes: 600 } },
] as const;

let redis: LocalRedis;
let bed: Bed;
const missing = redisOrSkip();

beforeAll(async () => {
  if (missing) return;
  redis = await LocalRedis.start({ seed });
  const [{ space, shards, storage }] = spaces;
  const variables = redis.variables;
  bed = await Bed.start({ space, shards, settings: { storage }, isolates: 2, nodes: {}, variables });
});

afterAll(async () => {
  await bed?.stop();
  await redis?.end();
});

interface Outbox {
  readonly entries: number;
  readonly bytes: number;
  readonly lagMs: number;
}

async function outboxOf(space: string): Promise<Outbox> {
  const { usage } = (await new SpaceHttp(bed.url(), space).json("")) as { usage: { outbox: Outbox } };
  return usage.outbox;
}

describe.skipIf(missing)("storage behind the shards", () => {
  test("OU3 AD1 SB3 amid kills of Redis, lost and late answers and aborted objects no acknowledged write is lost, no version goes back, and shards, copies and storage are equal in the end", {
    timeout: longestMs + 180_000,
  }, async () => {
    console.log(`chaos: seed ${seed}, ${writes} writes (WARP_TEST_SEED repeats its choices)`);
    const random = seeded(seed);
    const tally = new ChaosTally();
    const beds = await Promise.all(
      spaces.map(async ({ space, ...settings }, at) => {
        const isolates = at === 0 ? bed.isolates : await bed.second(space, settings);
        const http = new SpaceHttp(bed.url(), space);
        await http.register("*", { maxStalenessMs: eventualMs });
        await http.register("count:*", { merge: "sum", maxStalenessMs: eventualMs });
        const writers = Array.from(
          { length: 24 },
          (_, one) =>
            new ChaosWriter({
              ...{ space, name: `w${one}`, keys: 12, counters, isolates, tally },
              random: seeded(seed + 1_000 * at + one + 1),
            }),
        );
        const keys = [...writers.flatMap((writer) => writer.keys), ...counters];
        const onlookers = new Onlookers(keys, seeded(seed + 77 + at));
        return { space, isolates, writers, keys, onlookers, stored: new StoredSpace(redis, space) };
      }),
    );
    const objects = spaces.flatMap(({ space, shards }) =>
      Array.from({ length: shards }, (_, shard) => ({ space, shard })),
    );
    const weather = new Weather(redis, bed, objects, random);
    const begunAt = performance.now();
    const isLate = () => performance.now() - begunAt > longestMs;
    const isOver = () => tally.acked >= writes || isLate();
    let greatest: Outbox = { entries: 0, bytes: 0, lagMs: 0 };
    const measuring = async (): Promise<void> => {
      while (!isOver()) {
        for (const { space } of spaces) {
          const { entries, bytes, lagMs } = await outboxOf(space).catch(() => greatest);
          greatest = {
            entries: Math.max(entries, greatest.entries),
            bytes: Math.max(bytes, greatest.bytes),
            lagMs: Math.max(lagMs, greatest.lagMs),
          };
        }
        await sleep(250);
      }
    };
    const killing = async (): Promise<void> => {
      for (let at = 1; at <= kills; at++) {
        while (tally.acked < (writes * at) / (kills + 1) && !isLate()) await sleep(20);
        await weather.killRedis();
      }
    };
    await Promise.all([
      ...beds.flatMap(({ writers, isolates, onlookers, stored }) => [
        ...writers.map((writer) => writer.run(isOver)),
        ...isolates.map((isolate) => onlookers.ofIsolate(isolate, isOver)),
        onlookers.ofStorage(stored, () => weather.isDown, isOver),
      ]),
      weather.run(isOver),
      measuring(),
      killing(),
    ]);
    const tookMs = performance.now() - begunAt;
    await redis.clearFaults();
    const settledFrom = performance.now();
    for (const { space } of beds) {
      const isEmpty = async () => (await outboxOf(space)).entries === 0;
      const isSettled = await eventually(isEmpty, 60_000);
      const left = isSettled
        ? ""
        : `${JSON.stringify(await outboxOf(space))}, ${await bed.alarmOf(space, 0)}`;
      expect(isSettled, `seed ${seed}: the outbox of ${space} gets empty: ${left}`).toBe(true);
    }
    const settledMs = performance.now() - settledFrom;
    await sleep(eventualMs + 500);

    console.log(
      `chaos: ${tally.acked} writes acknowledged in ${(tookMs / 1_000).toFixed(1)} s ` +
        `(${Math.round((tally.acked * 1_000) / tookMs)}/s), ${await redis.requests()} requests to the storage; ` +
        `${tally.unknown} attempts of ${tally.doubtful} writes unknown, resolved:`,
      Object.fromEntries(tally.resolved),
    );
    console.log("chaos: faults", Object.fromEntries(weather.counts));
    console.log("chaos: failures", Object.fromEntries([...tally.codes].sort()));
    console.log("chaos: greatest outbox", greatest, `empty ${Math.round(settledMs)} ms after the end`);
    for (const { space, onlookers } of beds) {
      const failures = Object.fromEntries(onlookers.failed);
      console.log(`chaos: onlookers of ${space} saw`, onlookers.seen, "reads that failed", failures);
    }
    expect(tally.violations.slice(0, 5), `seed ${seed}`).toEqual([]);
    for (const { onlookers } of beds) expect(onlookers.violations.slice(0, 5), `seed ${seed}`).toEqual([]);
    expect(tally.acked, "it took too long").toBeGreaterThanOrEqual(writes);
    expect(weather.counts.get("redis killed")).toBe(kills);
    const ways = [...tally.resolved.values()].reduce((sum, count) => sum + count, 0);
    expect(ways, "each unknown write is resolved").toBeGreaterThanOrEqual(tally.doubtful);
    for (const one of beds) await compare(one);
  });
});

/** Shard, storage and every copy have what was acknowledged, and nothing else. */
async function compare(one: {
  readonly space: string;
  readonly isolates: readonly IsolateNode[];
  readonly writers: readonly ChaosWriter[];
  readonly keys: readonly string[];
  readonly stored: StoredSpace;
}): Promise<void> {
  const { space, isolates, writers, keys, stored } = one;
  const expected = new Map<string, number | null>();
  for (const writer of writers) {
    for (const key of writer.keys) expected.set(key, writer.states.get(key)?.value ?? null);
    for (const [key, added] of writer.added) expected.set(key, (expected.get(key) ?? 0) + added);
  }
  const wrong: object[] = [];
  const judge = (where: string, key: string, found: number | null): void => {
    const value = expected.get(key) ?? null;
    if (found !== value) wrong.push({ space, where, key, found, expected: value });
  };
  const [first] = isolates;
  for (const key of keys) {
    const read = {
      do: "txn",
      compare: [],
      success: [{ op: "get", key }],
      failure: [],
      opId: newOpId(),
    } as const;
    const answer = await first?.call(read);
    if (!answer?.ok) throw new Error(`the shard can't be asked: ${JSON.stringify(answer)}`);
    judge("shard", key, answer.results[0]?.value ?? null);
  }
  const there = await stored.read(keys);
  const known = new Map(writers.flatMap((writer) => [...writer.states]));
  for (const [key, found] of there) {
    judge("storage", key, found?.value ?? null);
    const version = known.get(key)?.version;
    if (found !== null && version !== undefined && found.version !== version)
      wrong.push({ space, where: "storage", key, version: found.version, expected: version });
  }
  const extra = (await stored.keys()).filter((key) => (expected.get(key) ?? null) === null);
  expect(extra, `seed ${seed}: keys that ${space} has in the storage alone`).toEqual([]);
  let copies = 0;
  for (const isolate of isolates) {
    for (const pass of ["peek", "getMany", "peek"] as const) {
      const answer = await isolate.call({ do: pass, keys });
      if (!answer.ok) throw new Error(`${isolate.name} can't be asked: ${answer.message}`);
      for (const { key, value, cache } of answer.seen) {
        if (cache === "hit") copies++;
        judge(`${isolate.name} (${cache})`, key, value);
      }
    }
  }
  console.log(`chaos: ${space}: ${keys.length} keys, ${copies} copies compared, ${wrong.length} wrong`);
  expect(wrong.slice(0, 5), `seed ${seed}`).toEqual([]);
  expect(copies).toBeGreaterThan(0);
}
