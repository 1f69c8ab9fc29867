/**
 * `npm run sim -- --seeds N [--seed S] [--nodes n] [--shards n] [--jobs n] [--verbose]`: the simulation over N seeds, from S on; says what it covered and
 * every broken promise with its seed and a shrunk history; with `--shape name` plans of one kind. `npm run sim -- --planted [--only name]`: whether it
 * finds each planted bug. `npm run sim -- --world hub --seeds N`, or another: watches and storage in worlds of their own.
 */

import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Coverage } from "../test/sim/coverage.ts";
import { type Mutant, mutants } from "../test/sim/planted/index.ts";
import { watchWorlds } from "../test/sim/planted/mutant.ts";
import { checkMutant } from "../test/sim/planted/plant.ts";
import { shapeNames } from "../test/sim/shapes/index.ts";
import type { FromWorker, Task } from "../test/sim/worker.ts";

type Violation = Extract<FromWorker, { readonly type: "violation" }>;

const { values: flags } = parseArgs({
  options: {
    seeds: { type: "string" },
    seed: { type: "string", default: "1" },
    nodes: { type: "string" },
    shards: { type: "string" },
    jobs: { type: "string", default: String(Math.min(4, availableParallelism())) },
    verbose: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    only: { type: "string" },
    shape: { type: "string" },
    world: { type: "string" },
  },
});
const whole = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);
const first = Number(flags.seed);
const jobs = Math.max(1, Number(flags.jobs));
const shape = shapeNames.find((name) => name === flags.shape);
if (flags.shape !== undefined && shape === undefined) throw new Error(`shapes: ${shapeNames.join(", ")}`);
const world = watchWorlds.find((name) => name === flags.world);
if (flags.world !== undefined && world === undefined) throw new Error(`worlds: ${watchWorlds.join(", ")}`);
const size = { nodes: whole(flags.nodes), shards: whole(flags.shards) };

if (flags.planted) await hunt();
else await search();

/** Runs a task in a process of its own; gives its last word. */
function run(task: Task, hear: (message: FromWorker) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL("../test/sim/worker.ts", import.meta.url), [JSON.stringify(task)]);
    child.on("message", (message) => hear(message as FromWorker));
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a worker ended with ${code}`))));
  });
}

async function search(): Promise<void> {
  const count = whole(flags.seeds) ?? (process.argv.includes("--seed") ? 1 : 200);
  const began = performance.now();
  const coverage = new Coverage();
  let failed = 0;
  const share = Math.ceil(count / jobs);
  const works = Array.from({ length: Math.min(jobs, count) }, (_, at) => {
    const from = first + at * share;
    const task = {
      from,
      count: Math.min(share, first + count - from),
      verbose: flags.verbose,
      stopAtFirst: false,
      shape,
      world,
      ...size,
    };
    return run(task, (message) => {
      if (message.type === "coverage") coverage.merge(message.coverage);
      else if (message.type === "violation") {
        failed++;
        console.log(message.text);
      } else console.log(message.text);
    });
  });
  await Promise.all(works);
  const seconds = (performance.now() - began) / 1_000;
  console.log(`\n${coverage}`);
  console.log(
    `\n${failed === 0 ? "no violation" : `${failed} runs with violations`}; seeds ${first} to ${first + count - 1}, ${seconds.toFixed(0)} s, ${(count / seconds).toFixed(1)} histories/s`,
  );
  if (failed > 0) process.exitCode = 1;
}

async function hunt(): Promise<void> {
  const isChosen = ({ name, world: of }: Mutant) =>
    (flags.only === undefined || name.includes(flags.only)) && (world === undefined || world === of);
  const chosen = mutants.filter(isChosen);
  for (const mutant of chosen) checkMutant(mutant);
  const count = whole(flags.seeds) ?? 1_000;
  const queue = [...chosen];
  let caught = 0;
  const work = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const { caughtBy, why } = await judge(mutant, count);
      if (caughtBy !== undefined) caught++;
      const verdict = caughtBy === undefined ? "MISSED" : "caught";
      console.log(`${verdict}  ${mutant.name} (${mutant.what})\n        ${caughtBy ?? why}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  console.log(`\n${caught}/${chosen.length} caught`);
  if (caught < chosen.length) process.exitCode = 1;
}

/** Whether a bug is seen; a run that breaks shows nothing. */
async function judge(
  mutant: Mutant,
  seeds: number,
): Promise<{ readonly caughtBy?: string; readonly why?: string }> {
  const { name, shape, world } = mutant;
  try {
    const found = await firstViolation(first, seeds, { mutant: name, shape, world });
    if (found === undefined) return { why: `not within ${seeds} seeds` };
    const { seed, rule, what } = found;
    // A bug is caught by what would not have been seen without it.
    const isReal = (await firstViolation(seed, 1, { shape, world })) === undefined;
    const where = `${rule} at seed ${seed}${shape === undefined ? "" : ` of "${shape}"`}: ${what}`;
    return isReal ? { caughtBy: where } : { why: `${where}; but that seed has a violation without it, too` };
  } catch (error) {
    return { why: `the run broke: ${error}` };
  }
}

/** The first violation from a seed on, with a bug planted or without. */
async function firstViolation(
  from: number,
  seeds: number,
  how: Pick<Task, "mutant" | "shape" | "world">,
): Promise<Violation | undefined> {
  const task = { from, count: seeds, verbose: false, stopAtFirst: true, ...how, ...size };
  let found: Violation | undefined;
  await run(task, (message) => {
    if (message.type === "violation") found ??= message;
  });
  return found;
}
