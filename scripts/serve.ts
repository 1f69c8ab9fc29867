/**
 * `npm run serve`: the production bundle on the pinned workerd, storage on disk. See `docs/self-hosting.md`.
 *
 * Exit codes: 0 ended as asked, 1 could not start or the runtime ended by itself, 2 called the wrong way.
 */

import { resolve } from "node:path";
import { endAsked } from "./serve/ending.ts";
import { DataInUse } from "./serve/lock.ts";
import { readServeOptions, serveUsage, UsageError } from "./serve/options.ts";
import { StartFailed } from "./serve/process.ts";
import { run, type Serving } from "./serve/run.ts";

const root = resolve(import.meta.dirname, "..");

async function main(): Promise<number> {
  const options = readServeOptions(process.argv.slice(2), process.env);
  if (options === "help") {
    console.log(serveUsage);
    return 0;
  }
  const asked = endAsked();
  const serving = await run(root, options, process.env);
  if (options.open) {
    console.log(
      "warp is open: without WARP_SECRET every caller on this machine may read and write all of it",
    );
  }
  console.log(`warp is ready: ${serving.urls.join(" ")} (data in ${options.data})`);
  return await untilTheEnd(serving, asked);
}

/** Waits until a signal, the end of npm, or the end of the runtime; then for the runtime to be gone. */
async function untilTheEnd(serving: Serving, asked: Promise<NodeJS.Signals>): Promise<number> {
  const why = await Promise.race([asked, serving.ended]);
  if (typeof why === "string") {
    await serving.stop();
    await serving.ended;
    return 0;
  }
  console.error(`warp: the runtime ended by itself (${why.signal ?? `code ${why.code}`})`);
  return 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`warp: ${error.message}\n\n${serveUsage}`);
    process.exitCode = 2;
  } else if (error instanceof DataInUse || error instanceof StartFailed) {
    console.error(`warp: ${error.message}`);
    process.exitCode = 1;
  } else {
    console.error(error);
    process.exitCode = 1;
  }
}
