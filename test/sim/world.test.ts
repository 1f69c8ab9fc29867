import { describe, expect, test } from "vitest";
import { Coverage } from "./coverage.ts";
import { report } from "./report.ts";
import { runPlan } from "./run.ts";
import { makePlan } from "./world/plan.ts";

describe("the simulation", () => {
  test("ST1, SB3, TX1, ME1, SB2, LK1, LK2, LK5, LK8, LK9: 100 seeds of nodes and shards under faults break no promise", {
    timeout: 120_000,
  }, async () => {
    const coverage = new Coverage();
    for (let seed = 1; seed <= 100; seed++) {
      const run = await runPlan(makePlan(seed));
      coverage.add(run);
      // The run itself says all: `npm run sim -- --seed N` shrinks it.
      if (run.violations.length > 0) expect.fail(report(run, run));
    }
    console.log(`${coverage}`);
    // A simulation in which nothing happens finds nothing.
    expect(coverage.judged).toBeGreaterThan(5_000);
    expect(coverage.locking).toBeGreaterThan(60);
    expect([...coverage.faults.keys()]).toEqual(
      expect.arrayContaining(["kill", "eviction", "cut", "node pause"]),
    );
  });

  test("is the same for the same seed, event by event, and another for another", async () => {
    const twice = async (seed: number) => [
      (await runPlan(makePlan(seed))).hash,
      (await runPlan(makePlan(seed))).hash,
    ];
    const [one, again] = await twice(7);
    expect(again).toBe(one);
    const [other, otherAgain] = await twice(8);
    expect(otherAgain).toBe(other);
    expect(other).not.toBe(one);
  });
});
