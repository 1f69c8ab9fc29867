import { type Run, runPlan } from "./run.ts";
import type { Plan } from "./world/plan.ts";

/** Leaves out as many steps of a plan as it can while the same promise is still broken; at most `maxRuns` runs. */
export async function shrink(run: Run, maxRuns = 150): Promise<Run> {
  const rule = run.violations[0]?.rule;
  let best = run;
  let left = maxRuns;
  let size = Math.ceil(run.plan.steps.length / 2);
  while (size >= 1 && left > 0) {
    let shrunk = false;
    for (let at = 0; at < best.plan.steps.length && left > 0; ) {
      const steps = best.plan.steps.filter((_, place) => place < at || place >= at + size);
      left--;
      const smaller = await tryPlan({ ...best.plan, steps });
      if (smaller?.violations.some((violation) => violation.rule === rule)) {
        best = smaller;
        shrunk = true;
      } else at += size;
    }
    if (size === 1 && !shrunk) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return best;
}

async function tryPlan(plan: Plan): Promise<Run | undefined> {
  try {
    return await runPlan(plan);
  } catch {
    return undefined;
  }
}
