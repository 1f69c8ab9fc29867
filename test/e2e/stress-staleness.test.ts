import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seeded } from "../support/seeded.ts";
import { type Served, startServe, temporaryFolder } from "../support/serve.ts";
import { type Answer, StressClient } from "./stress-client.ts";

const maxStalenessMs = 300;
/** Clocks of whole milliseconds on both sides. */
const roundingMs = 2;
const runMs = 5_000;
const seed = Number(process.env.WARP_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let served: Served;

beforeAll(async () => {
  folder = await temporaryFolder();
  served = await startServe(folder.path, ["--isolates", "2"], {
    WARP_REGISTRATIONS: JSON.stringify({ "*": { maxStalenessMs } }),
    // Pushes are so fast that there would be no older value to see: the bound must hold without them.
    WARP_SUBSCRIBE: "off",
  });
  console.log(`staleness: seed ${seed}`);
});

afterAll(async () => {
  await served.stop();
  await folder[Symbol.asyncDispose]();
});

/** The answer of a request that must not break off. */
async function ask(client: StressClient, ...args: Parameters<StressClient["send"]>): Promise<Answer> {
  const answer = await client.send(...args);
  if (answer === undefined) throw new Error("nobody left");
  return answer;
}

/** Writes `value` and tells when the reply was there. Refusals that concern a space that is ending are tried again. */
async function write(client: StressClient, path: string, value: string): Promise<Answer> {
  const answer = await ask(client, "PUT", path, { body: value });
  if (answer.status >= 300) throw new Error(`${answer.status} ${answer.text}`);
  return answer;
}

describe("two isolates, read through L1 while values change", () => {
  test("SB3 CO4 no get begun later than maxStalenessMs after a reply has the older value, and a node reads its own writes", async () => {
    const counters = 12;
    const until = performance.now() + runMs;
    /** By counter: when the reply about each value was there. Values are 1, 2, 3 … */
    const replies = Array.from({ length: counters }, () => [Number.NEGATIVE_INFINITY]);
    const wrong: string[] = [];
    let greatest = 0;
    let [reads, hits, old, writes] = [0, 0, 0, 0];
    // The last ones are read now and then only, in spaces of their own, so that nobody else's reading keeps a node up to date.
    const busy = 4;
    const spaceOf = (counter: number): string => `/v1/bound${counter < busy ? "" : `-${counter}`}`;
    const path = (counter: number): string => `${spaceOf(counter)}/keys/c:${counter}`;
    const setup = new StressClient(served.urls[0] ?? "");
    await ask(setup, "PUT", spaceOf(0), { body: '{"shards":2}', json: true });
    setup.close();

    const writer = async (counter: number): Promise<void> => {
      const random = seeded(seed + counter);
      const both = served.urls.map((url) => new StressClient(url));
      for (let value = 1; performance.now() < until; value++) {
        const client = random.pick(both);
        const { endedAtMs } = await write(client, path(counter), String(value));
        replies[counter]?.push(endedAtMs);
        writes++;
        // Its own writes, by each way to read.
        const dice = random.below(4);
        if (dice === 1) {
          const body = JSON.stringify({ keys: [`c:${counter}`] });
          await ask(client, "POST", `${spaceOf(counter)}/invalidate`, { body, json: true });
        }
        if (dice === 2) {
          const body = JSON.stringify({ operations: [{ op: "get", key: `c:${counter}` }] });
          const { text } = await ask(client, "POST", `${spaceOf(counter)}/batch`, { body, json: true });
          if (!text.includes(`"text":"${value}"`)) wrong.push(`own ${value} by batch: ${text}`);
        } else {
          const own = await ask(client, "GET", path(counter));
          if (own.text !== String(value)) wrong.push(`own ${value}: ${own.text}`);
        }
        await sleep(random.below(160));
      }
      for (const client of both) client.close();
    };

    const reader = async (index: number, only?: number): Promise<void> => {
      const random = seeded(seed + 1_000 + index);
      const client = new StressClient(served.urls[index % 2] ?? "");
      const seen = new Map<number, number>();
      while (performance.now() < until) {
        const counter = only ?? random.below(busy);
        if (only !== undefined) await sleep(random.below(maxStalenessMs + 100));
        const answer = await ask(client, "GET", path(counter));
        if (answer.status !== 200) continue;
        reads++;
        if (answer.cache === "hit") hits++;
        const value = Number(answer.text);
        if (value < (seen.get(counter) ?? 0)) wrong.push(`went back from ${seen.get(counter)} to ${value}`);
        seen.set(counter, value);
        const nextReplyMs = replies[counter]?.[value + 1] ?? Number.POSITIVE_INFINITY;
        const staleMs = answer.begunAtMs - nextReplyMs;
        if (staleMs > 0) old++;
        greatest = Math.max(greatest, staleMs);
        if (staleMs > maxStalenessMs + roundingMs) {
          wrong.push(`isolate ${index % 2}, ${value}: the next value was there for ${staleMs} ms`);
        }
      }
      client.close();
    };

    await Promise.all([
      ...Array.from({ length: counters }, (_, counter) => writer(counter)),
      ...Array.from({ length: 24 }, (_, index) => reader(index)),
      ...Array.from({ length: counters - busy }, (_, at) => [
        reader(0, busy + at),
        reader(1, busy + at),
      ]).flat(),
    ]);
    console.log(
      `staleness: ${writes} writes, ${reads} reads, ${hits} hits, ${old} older than the last reply,`,
      `greatest ${greatest.toFixed(1)} ms of ${maxStalenessMs}`,
    );
    expect(wrong.slice(0, 5), `seed ${seed}`).toEqual([]);
    expect(old, "older values read, without which this shows nothing").toBeGreaterThan(0);
    expect(hits).toBeGreaterThan(100);
  });

  test("SB3 a space that ends and is made again with other shards: its old values end with the bound, and at once where the new life is known", async () => {
    const lives = [3, 1, 4, 2, 16, 1, 7, 2];
    const keys = Array.from({ length: 12 }, (_, at) => `k${at}`);
    const deletedAtMs: number[] = [];
    const wrong: string[] = [];
    let greatest = 0;
    let [hits, old] = [0, 0];
    let over = false;

    const maker = async (): Promise<void> => {
      const random = seeded(seed);
      // The space is made and ended by way of one isolate and the other.
      const both = served.urls.map((url) => new StressClient(url));
      for (const [life, shards] of lives.entries()) {
        const client = random.pick(both);
        const made = await ask(client, "PUT", "/v1/lives", { body: JSON.stringify({ shards }), json: true });
        expect(made.status, made.text).toBe(201);
        for (const key of keys) await write(random.pick(both), `/v1/lives/keys/${key}`, String(life));
        await sleep(300 + random.below(400));
        // What was just written is there for every new reader, whatever the node knew before.
        for (const each of both) {
          for (const key of keys) {
            const { text } = await ask(each, "GET", `/v1/lives/keys/${key}`);
            if (text !== String(life)) wrong.push(`life ${life}, ${key}: ${text}`);
          }
        }
        const gone = await ask(client, "DELETE", "/v1/lives");
        expect(gone.status, gone.text).toBe(200);
        deletedAtMs[life] = gone.endedAtMs;
        await sleep(random.below(100));
      }
      over = true;
      for (const client of both) client.close();
    };

    const reader = async (index: number): Promise<void> => {
      const random = seeded(seed + 2_000 + index);
      const isolate = index % 2;
      const client = new StressClient(served.urls[isolate] ?? "");
      while (!over) {
        const answer = await ask(client, "GET", `/v1/lives/keys/${random.pick(keys)}`);
        if (answer.status !== 200) {
          const right =
            answer.code === "not_found" ||
            answer.code === "space_not_found" ||
            answer.code === "space_deleting";
          if (!right) wrong.push(`${answer.status} ${answer.text}`);
          continue;
        }
        if (answer.cache === "hit") hits++;
        const life = Number(answer.text);
        const staleMs = answer.begunAtMs - (deletedAtMs[life] ?? Number.POSITIVE_INFINITY);
        if (staleMs > 0) old++;
        greatest = Math.max(greatest, staleMs);
        if (staleMs > maxStalenessMs + roundingMs) wrong.push(`life ${life} was over for ${staleMs} ms`);
        if (answer.begunAtMs > (knownAtMs.get(`${isolate}/${life + 1}`) ?? Number.POSITIVE_INFINITY)) {
          wrong.push(`isolate ${isolate} knew life ${life + 1} and gave a value of life ${life}`);
        }
        for (let known = life; known > 0 && !knownAtMs.has(`${isolate}/${known}`); known--) {
          knownAtMs.set(`${isolate}/${known}`, answer.endedAtMs);
        }
      }
      client.close();
    };
    /** When a reader first had a value of a life, or of a later one, from an isolate. */
    const knownAtMs = new Map<string, number>();

    await Promise.all([maker(), ...Array.from({ length: 12 }, (_, index) => reader(index))]);
    console.log(
      `lives: ${hits} hits, ${old} values of an ended life, greatest ${greatest.toFixed(1)} ms of ${maxStalenessMs}`,
    );
    expect(wrong.slice(0, 5), `seed ${seed}`).toEqual([]);
    expect(hits).toBeGreaterThan(100);
    expect(served.output()).not.toMatch(/different request|Cannot perform|"level":"error"|uncaught|hung/i);
  });
});
