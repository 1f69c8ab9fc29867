/** A process of `npm run sim`: runs seeds, if asked with a bug planted, and tells what it found. */

import type { CoverageData } from "./coverage.ts";
import { mutants } from "./planted/index.ts";
import type { WatchWorld } from "./planted/mutant.ts";
import { plant } from "./planted/plant.ts";
import type { ShapeName } from "./shapes/index.ts";

/** What a worker is to do. */
export interface Task {
  readonly from: number;
  readonly count: number;
  readonly verbose: boolean;
  readonly stopAtFirst: boolean;
  /** Name of the bug to plant. */
  readonly mutant?: string;
  /** Plans of this shape, not of chance. */
  readonly shape?: ShapeName | undefined;
  /** Runs of watches, not of plans. */
  readonly world?: WatchWorld | undefined;
  readonly nodes?: number | undefined;
  readonly shards?: number | undefined;
}

/** What a worker tells. */
export type FromWorker =
  | { readonly type: "coverage"; readonly coverage: CoverageData }
  | {
      readonly type: "violation";
      readonly seed: number;
      readonly rule: string;
      readonly what: string;
      readonly text: string;
    }
  | { readonly type: "history"; readonly text: string };

const task = JSON.parse(process.argv[2] ?? "{}") as Task;
const tell = (message: FromWorker): void => void process.send?.(message);
const mutant = mutants.find(({ name }) => name === task.mutant);
if (mutant !== undefined) plant(mutant);

// Only now: what is loaded before has no bug in it.
const { runPlan } = await import("./run.ts");
const { makePlan } = await import("./world/plan.ts");
const { Coverage } = await import("./coverage.ts");
const { shrink } = await import("./shrink.ts");
const { planOf } = await import("./shapes/index.ts");
const { report, tellHistory } = await import("./report.ts");

const coverage = new Coverage();
if (task.world !== undefined) {
  const { watchRun } = await import("./watches/worlds.ts");
  for (let seed = task.from; seed < task.from + task.count; seed++) {
    const what = await watchRun(task.world, seed);
    if (what === undefined) continue;
    tell({
      type: "violation",
      seed,
      rule: task.world === "storage" ? "AD4" : "WA2",
      what,
      text: `seed ${seed} of the world of ${task.world}: ${what}`,
    });
    if (task.stopAtFirst) break;
  }
}
for (let seed = task.from; task.world === undefined && seed < task.from + task.count; seed++) {
  const plan = task.shape === undefined ? makePlan(seed, task) : planOf(seed, task.shape);
  const run = await runPlan(plan);
  coverage.add(run);
  if (task.verbose) tell({ type: "history", text: tellHistory(run) });
  const [first] = run.violations;
  if (first === undefined) continue;
  const text = task.stopAtFirst ? "" : report(run, await shrink(run), task.shape);
  tell({ type: "violation", seed, rule: first.rule, what: first.what, text });
  if (task.stopAtFirst) break;
}
tell({ type: "coverage", coverage: coverage.toData() });
process.disconnect?.();
