import { describe, expect, test } from "vitest";
import { mutants } from "./planted/index.ts";
import { checkMutant } from "./planted/plant.ts";
import { report } from "./report.ts";
import { runPlan } from "./run.ts";
import { planOf, shapeNames } from "./shapes/index.ts";

describe("planted bugs", () => {
  test("each has its place in the source exactly once, and a name of its own", () => {
    for (const mutant of mutants) checkMutant(mutant);
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });

  test.each(shapeNames)(
    "the plans in which they are looked for break no promise without them: %s",
    {
      timeout: 60_000,
    },
    async (shape) => {
      for (let seed = 1; seed <= (shape.startsWith("lock ") ? 1 : 2); seed++) {
        const run = await runPlan(planOf(seed, shape));
        if (run.violations.length > 0) expect.fail(report(run, run));
      }
    },
  );
});
