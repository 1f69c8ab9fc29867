/**
 * `npm run demo`: 138,398 real records through Warp. Starts a server with two isolates on a fresh folder, imports all places of the
 * world with 1,000 inhabitants or more, reads every one back from the shard and again from L1, then reads by Zipf's law with a
 * few updates, and checks every single value. Flags: `--seconds N` of load (default 20), `--keep` leaves the server running.
 */

import { parseArgs } from "node:util";
import { allCities } from "./cities.ts";
import { Isolate } from "./http.ts";
import { importCities } from "./import.ts";
import { type Load, runLoad } from "./load.ts";
import { number } from "./progress.ts";
import { readBack } from "./read-back.ts";
import { type Server, startServer } from "./server.ts";

const space = "cities";
const connections = 16;

const { values: flags } = parseArgs({
  options: { keep: { type: "boolean", default: false }, seconds: { type: "string", default: "20" } },
});
const seconds = Number(flags.seconds);
if (!(seconds > 0 && seconds <= 3_600)) throw new Error("--seconds takes a number from 1 to 3,600");

const server = await startServer(2);
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
}
process.exitCode = fine ? 0 : 1;

async function demonstrate(isolates: readonly Isolate[], server: Server): Promise<boolean> {
  const [first] = isolates;
  if (first === undefined) throw new Error("the server has no isolate");
  const records = allCities();
  console.log(
    `${number(records.length)} records, server with ${isolates.length} isolates at ${server.urls.join(" ")}`,
  );

  const startedAt = performance.now();
  const imported = await importCities(first, space, records);
  const importSeconds = (performance.now() - startedAt) / 1_000;
  const rate = imported.imported / importSeconds;
  console.log(
    `imported ${number(imported.imported)} in ${number(importSeconds, 1)} s: ${number(rate)} records/s`,
  );

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

  console.log(`${number(back.right)} of ${number(records.length)} right`);
  const complete = imported.imported === records.length && imported.failed === 0;
  return complete && back.right === records.length && load.wrong === 0;
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
