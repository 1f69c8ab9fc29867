/**
 * What does group commit gain? 128 clients put values of 100 bytes, each its own key, each put as soon as the one before it is answered, and every answer
 * durable on disk. Two servers of the same build: one commits what waits together, one (`WARP_GROUP_COMMIT=off`) makes a
 * commit for each request. Rounds alternate, so that a busy machine strikes both.
 *
 * Measured at two doors: the shard itself (128 callers by RPC in one workerd), and the whole server over HTTP with keep-alive.
 *
 * `npm run bench -- group-commit [--seconds N] [--rounds N] [--clients N]`
 */

import { parseArgs } from "node:util";
import { RawConnection } from "./raw-http.ts";
import { type BenchServer, startBenchServer, startBenchWorker } from "./server.ts";

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    rounds: { type: "string", default: "5" },
    clients: { type: "string", default: "128" },
  },
});
const seconds = Number(flags.seconds);
const rounds = Number(flags.rounds);
const clients = Number(flags.clients);
const body = "x".repeat(100);

type Measure = (server: BenchServer, seconds: number) => Promise<number>;

const off = { WARP_GROUP_COMMIT: "off" };
await compare("at the shard", (env) => startBenchWorker("shard-callers", env), callShard);
await compare("over HTTP", startBenchServer, putOverHttp);

async function compare(
  door: string,
  start: (env: Readonly<Record<string, string>>) => Promise<BenchServer>,
  measure: Measure,
): Promise<void> {
  const grouped = await start({});
  const single = await start(off);
  try {
    await measure(grouped, 1); // warms up: the space, the shard, the code
    await measure(single, 1);
    const rates: { readonly grouped: number; readonly single: number }[] = [];
    for (let round = 1; round <= rounds; round++) {
      const rate = { grouped: await measure(grouped, seconds), single: await measure(single, seconds) };
      rates.push(rate);
      console.log(
        `${door}, round ${round}: grouped ${show(rate.grouped)}/s, one commit per request ${show(rate.single)}/s`,
      );
    }
    const together = median(rates.map((rate) => rate.grouped));
    const alone = median(rates.map((rate) => rate.single));
    console.log(
      `${door}: ${clients} clients, durable puts, median of ${rounds} rounds: grouped ${show(together)}/s, ` +
        `one commit per request ${show(alone)}/s, ratio ${(together / alone).toFixed(2)}\n`,
    );
  } finally {
    await Promise.all([grouped.stop(), single.stop()]);
  }
}

/** Durable puts per second by callers inside the runtime. */
async function callShard(server: BenchServer, seconds: number): Promise<number> {
  const answer = await fetch(`${server.url}/?clients=${clients}&ms=${seconds * 1_000}`);
  if (!answer.ok) throw new Error(`the callers failed: ${await answer.text()}`);
  const { puts } = (await answer.json()) as { puts: number };
  return puts / seconds;
}

/** Durable puts per second over keep-alive connections. */
async function putOverHttp(server: BenchServer, seconds: number): Promise<number> {
  const connections = await Promise.all(
    Array.from({ length: clients }, () => RawConnection.open(server.url)),
  );
  let done = 0;
  const startedAt = performance.now();
  const until = startedAt + seconds * 1_000;
  await Promise.all(
    connections.map(async (connection, client) => {
      while (performance.now() < until) {
        const status = await connection.put(`/v1/bench/keys/key:${client}`, body);
        if (status !== 200 && status !== 201) throw new Error(`a put was answered with ${status}`);
        done++;
      }
    }),
  );
  const took = (performance.now() - startedAt) / 1_000;
  for (const connection of connections) connection.close();
  return done / took;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

function show(rate: number): string {
  return Math.round(rate).toLocaleString("en-US");
}
