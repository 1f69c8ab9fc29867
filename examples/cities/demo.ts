/**
 * `npm run demo`: 138,398 real records through Warp. Starts a server with two isolates on a fresh folder, imports all places of the
 * world with 1,000 inhabitants or more, reads every one back from the shard and again from L1, then reads by Zipf's law with a
 * few updates, and checks every single value. Flags: `--seconds N` of load (default 20), `--keep` leaves the server running,
 * `--store upstash` puts a Redis of this machine behind the shards, over a REST surface as Upstash has it, and checks what is in there, too.
 */

import { parseArgs } from "node:util";
import { missingRedis } from "../../scripts/redis-bridge/redis-server.ts";
import { allCities } from "./cities.ts";
import { Isolate } from "./http.ts";
import { importCities } from "./import.ts";
import { type Load, runLoad } from "./load.ts";
import { number } from "./progress.ts";
import { readBack } from "./read-back.ts";
import { startRedis } from "./redis.ts";
import { type Server, startServer } from "./server.ts";
import { confirmed, storedWrong } from "./stored.ts";

const space = "cities";
const connections = 16;

const flags = readFlags();
const seconds = Number(flags.seconds);
const missing = flags.store === undefined ? undefined : missingRedis();
if (missing !== undefined) {
  console.error(`--store upstash needs a Redis on this machine: ${missing}`);
  process.exit(1);
}

const redis = flags.store === undefined ? undefined : await startRedis();
const server = await startServer(2, redis?.variables).catch(async (error: unknown) => {
  await redis?.stop();
  throw error;
});
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    interrupted = true;
    void server.stop();
  });
}
const isolates = server.urls.map((url) => new Isolate(url, connections));
let fine = false;
try {
  fine = await demonstrate(isolates, server);
  if (fine && flags.keep) {
    keepTrying(server);
    await server.ended;
  }
} catch (error) {
  // Calls that were cut off by Ctrl-C are no news.
  if (!interrupted) throw error;
} finally {
  for (const isolate of isolates) isolate.close();
  await server.stop();
  await redis?.stop();
}
process.exitCode = fine ? 0 : 1;

async function demonstrate(isolates: readonly Isolate[], server: Server): Promise<boolean> {
  const [first] = isolates;
  if (first === undefined) throw new Error("the server has no isolate");
  const records = allCities();
  console.log(
    `${number(records.length)} records, server with ${isolates.length} isolates at ${server.urls.join(" ")}`,
  );

  if (redis !== undefined) {
    await first.call("PUT", `/v1/${space}`, JSON.stringify({ storage: { name: "upstash" } }));
    console.log(`behind the shard: redis-server, over a REST surface at ${redis.url}`);
  }

  const startedAt = performance.now();
  const imported = await importCities(first, space, records);
  const importSeconds = (performance.now() - startedAt) / 1_000;
  const rate = imported.imported / importSeconds;
  console.log(
    `imported ${number(imported.imported)} in ${number(importSeconds, 1)} s: ${number(rate)} records/s`,
  );

  if (redis !== undefined) {
    const behindSeconds = await confirmed(first, space);
    console.log(`the storage had confirmed the last of them ${number(behindSeconds, 1)} s later`);
  }
  const back = await readBack(isolates, space, records);
  console.log(
    `read back twice at ${number((2 * records.length) / back.seconds)} keys/s in batches: ` +
      `first from the shard, then ${number((100 * back.hits) / records.length, 1)} % from L1`,
  );

  const load = await runLoad(isolates, space, records, {
    seconds,
    connections,
    updateEvery: 100,
    versions: back.versions,
  });
  printLoad(load);
  const memory = await server.memoryBytes();
  if (memory !== undefined)
    console.log(`memory of the runtime, isolates and shard: ${number(memory / 1_048_576)} MiB`);

  const wrong = new Set(back.wrong);
  if (redis !== undefined) {
    await confirmed(first, space);
    const stored = await storedWrong(redis, space, records, ({ key, text }) => {
      return load.left.get(key)?.newest ?? { version: back.versions.get(key) ?? 0, text };
    });
    console.log(`Redis itself: ${number(records.length - stored.size)} of ${number(records.length)} right`);
    for (const key of stored) wrong.add(key);
  }
  console.log(`${number(records.length - wrong.size)} of ${number(records.length)} right`);
  const complete = imported.imported === records.length && imported.failed === 0;
  return complete && wrong.size === 0 && load.wrong === 0;
}

function printLoad({ reads, writes, wrong, cache, latencies, seconds }: Load): void {
  const at = (part: number) => number(latencies[Math.floor(latencies.length * part)] ?? 0, 2);
  const hits = cache.get("hit") ?? 0;
  console.log(
    `load: ${number(reads)} reads and ${number(writes)} updates in ${number(seconds, 1)} s: ${number(reads / seconds)} reads/s, ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${number((100 * hits) / reads, 1)} % from L1`,
  );
  console.log(`load: ${number(reads - wrong)} of ${number(reads)} reads right`);
}

function keepTrying({ urls: [url] }: Server): void {
  console.log(`
The server goes on; Ctrl-C ends it and removes its data. Try:
  curl -i '${url}/v1/${space}/keys/city:FR/11/Paris'
  curl '${url}/v1/${space}/keys?prefix=city:IS/&limit=5&values=true'
  curl '${url}/v1/${space}/export?prefix=city:MT/'
  curl '${url}/v1/${space}'`);
}

function readFlags(): { readonly keep: boolean; readonly seconds: string; readonly store?: string } {
  try {
    const { values } = parseArgs({
      options: {
        keep: { type: "boolean", default: false },
        seconds: { type: "string", default: "20" },
        store: { type: "string" },
      },
    });
    const seconds = Number(values.seconds);
    if (!(seconds > 0 && seconds <= 3_600))
      throw new Error("--seconds takes a number, above 0 and up to 3,600");
    if (values.store !== undefined && values.store !== "upstash") throw new Error("--store takes upstash");
    return values;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error("npm run demo -- [--seconds N] [--keep] [--store upstash]");
    process.exit(2);
  }
}
