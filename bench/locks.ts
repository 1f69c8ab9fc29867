/**
 * How many times a second can a lock be acquired and released? One client; 32 clients on 32 names; 32 clients on one name. Warp over HTTP and over a
 * Node process's socket (handles, and batches of bare commands), each answer durable on disk, beside Redis in memory (`SET NX PX`, a script that compares and
 * deletes, and a retry each millisecond where it is held). Rounds go through all of them in turn, so that a busy machine strikes each.
 *
 * `npm run bench -- locks [--seconds N] [--rounds N] [--clients N] [--batch N]`
 */

import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { nodeClock, nodeRandom } from "../src/platform/node.ts";
import { connectWarp } from "../src/presets/node.ts";
import type { LockCommand, LockVerdict } from "../src/protocol/lock.ts";
import { scopeOpId } from "../src/protocol/operation.ts";
import { uuidv7 } from "../src/runtime/ids.ts";
import { RawConnection } from "./raw-http.ts";
import { RedisConnection, startRedis } from "./redis.ts";
import { startBenchServer } from "./server.ts";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "3" },
    clients: { type: "string", default: "32" },
    batch: { type: "string", default: "64" },
  },
});
const seconds = Number(flags.seconds);
const rounds = Number(flags.rounds);
const clients = Number(flags.clients);
const batch = Number(flags.batch);
const ttlMs = 30_000;

/** One client's way to acquire and release a name once; gives how many cycles that was. */
type Cycle = (name: string) => Promise<number>;

interface Contender {
  readonly name: string;
  /** A client of its own, and what ends it. */
  open(client: number): Promise<{ readonly cycle: Cycle; close(): void }>;
  /** Whether it is measured with all clients on one name. */
  readonly contended: boolean;
}

const server = await startBenchServer({});
const warp = connectWarp(server.url, { space: "bench" });
const redis = await startRedis();
const contenders: readonly Contender[] = [
  ...(redis === undefined ? [] : [redisLocks(redis.port, redis.version)]),
  httpLocks(server.url),
  handles(),
  batches(),
];
if (redis === undefined) console.log("no redis-server on this machine: Warp alone is measured");

const loads = [
  { load: "1 client", count: 1, nameOf: () => "lock" },
  {
    load: `${clients} clients, ${clients} names`,
    count: clients,
    nameOf: (client: number) => `lock:${client}`,
  },
  { load: `${clients} clients, one name`, count: clients, nameOf: () => "lock" },
] as const;

try {
  for (const { load, count, nameOf } of loads) {
    const measured = contenders.filter(
      ({ contended }) => contended || nameOf(1) !== nameOf(0) || count === 1,
    );
    const results = new Map(measured.map(({ name }) => [name, [] as Result[]]));
    for (const contender of measured) await run(contender, count, nameOf, 0.5);
    for (let round = 0; round < rounds; round++) {
      for (const contender of measured) {
        results.get(contender.name)?.push(await run(contender, count, nameOf, seconds));
      }
    }
    for (const [name, rates] of results) {
      const rate = median(rates.map((result) => result.rate));
      const unfair = median(rates.map((result) => result.unfairness));
      const shares =
        count > 1 ? `, the luckiest client has ${unfair.toFixed(1)} times the cycles of the unluckiest` : "";
      console.log(`${load}: ${name} ${Math.round(rate).toLocaleString("en-US")} cycles/s${shares}`);
    }
    console.log();
  }
} finally {
  await warp.close();
  await Promise.all([server.stop(), redis?.stop()]);
}

interface Result {
  readonly rate: number;
  readonly unfairness: number;
}

async function run(
  { open }: Contender,
  count: number,
  nameOf: (client: number) => string,
  forSeconds: number,
): Promise<Result> {
  const opened = await Promise.all(Array.from({ length: count }, (_, client) => open(client)));
  const startedAt = performance.now();
  const until = startedAt + forSeconds * 1_000;
  const cycles = await Promise.all(
    opened.map(async ({ cycle }, client) => {
      const name = nameOf(client);
      let done = 0;
      while (performance.now() < until) done += await cycle(name);
      return done;
    }),
  );
  const took = (performance.now() - startedAt) / 1_000;
  for (const { close } of opened) close();
  const total = cycles.reduce((sum, done) => sum + done, 0);
  return { rate: total / took, unfairness: Math.max(...cycles) / Math.max(1, Math.min(...cycles)) };
}

function redisLocks(port: number, version: string): Contender {
  const script =
    'if redis.call("get",KEYS[1])==ARGV[1] then return redis.call("del",KEYS[1]) else return 0 end';
  return {
    name: `Redis ${version}, in memory`,
    contended: true,
    open: async (client) => {
      const connection = await RedisConnection.open(port);
      const sha = String(await connection.command("SCRIPT", "LOAD", script));
      const token = `client-${client}`;
      const cycle = async (name: string): Promise<number> => {
        while ((await connection.command("SET", name, token, "NX", "PX", String(ttlMs))) === null)
          await sleep(1);
        if ((await connection.command("EVALSHA", sha, "1", name, token)) !== 1)
          throw new Error("it was lost");
        return 1;
      };
      return { cycle, close: () => connection.close() };
    },
  };
}

function httpLocks(url: string): Contender {
  return {
    name: "Warp over HTTP",
    contended: true,
    open: async (client) => {
      const connection = await RawConnection.open(url);
      const owner = `client-${client}`;
      const wanted = JSON.stringify({ owner, ttlMs, waitMs: 600_000 });
      const cycle = async (name: string): Promise<number> => {
        const path = `/v1/bench/locks/http:${name}`;
        let answer = await connection.request("POST", path, wanted);
        while (answer.status === 409) {
          const { details } = JSON.parse(answer.body) as { details?: { ticket?: string } };
          answer = await connection.request("POST", path, JSON.stringify({ owner, ticket: details?.ticket }));
        }
        if (answer.status !== 201) throw new Error(`${answer.status}: ${answer.body}`);
        const { fence } = JSON.parse(answer.body) as { fence: number };
        const released = await connection.request("DELETE", `${path}?owner=${owner}&fence=${fence}`);
        if (released.status !== 200) throw new Error(`${released.status}: ${released.body}`);
        return 1;
      };
      return { cycle, close: () => connection.close() };
    },
  };
}

function handles(): Contender {
  return {
    name: "Warp, handles over one socket",
    contended: true,
    open: async () => {
      const cycle = async (name: string): Promise<number> => {
        const lock = await warp.lock(`handle:${name}`, { ttlMs, waitMs: 600_000 });
        await lock.release();
        return 1;
      };
      return { cycle, close: () => {} };
    },
  };
}

/** So many names in one frame and one commit. */
function batches(): Contender {
  return {
    name: `Warp, ${batch} commands in a call`,
    contended: false,
    open: async (client) => {
      const owner = `client-${client}`;
      const cycle = async (name: string): Promise<number> => {
        const names = Array.from({ length: batch }, (_, at) => `batch:${name}:${at}`);
        const held = await send(
          names.map((one) => ({ kind: "acquire", opId: opId(), name: one, owner, as: "mutex", ttlMs })),
        );
        await send(
          held.map((verdict, at) => ({
            ...{ kind: "release", opId: opId(), name: names[at] ?? "", owner },
            fence: verdict.state === "held" ? verdict.fence : 0,
          })),
        );
        return batch;
      };
      return { cycle, close: () => {} };
    },
  };
}

async function send(
  commands: readonly LockCommand[],
): Promise<readonly Exclude<LockVerdict, { readonly outcome: "fail" }>[]> {
  const verdicts = await warp.locks.driver.run(commands);
  return verdicts.map((verdict) => {
    if (verdict.outcome === "fail") throw new Error(`${verdict.error.code}: ${verdict.error.message}`);
    return verdict;
  });
}

/** As a node makes them: scoped to a subject. */
function opId(): string {
  return scopeOpId("bench", uuidv7(nodeClock, nodeRandom));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
