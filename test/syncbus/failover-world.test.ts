import { describe, expect, it } from "vitest";
import { failoverWorld, type Planted, type WorldReport } from "./failover-world.ts";

const seeds = Array.from({ length: 60 }, (_, seed) => seed + 1);

describe("four nodes over two buses that break and heal", () => {
  it("SB8 SB-08 every message that was taken is heard once by each other node, or it is told that anything may have changed", async () => {
    const reports: WorldReport[] = [];
    for (const seed of seeds) {
      const report = await failoverWorld(seed);
      expect(report.wrong, `seed ${seed}`).toEqual([]);
      reports.push(report);
    }
    const sum = (of: (report: WorldReport) => number) => reports.reduce((total, one) => total + of(one), 0);
    expect(sum(({ published }) => published)).toBeGreaterThan(4_000);
    expect(sum(({ failed }) => failed)).toBeGreaterThan(100);
    expect(sum(({ overSecond }) => overSecond)).toBeGreaterThan(500);
    expect(sum(({ duplicates }) => duplicates)).toBeGreaterThan(100);
  });

  it.each<Planted>(["ids are not passed on", "the second swallows", "nobody tells of what was missed"])(
    "the judge finds it when %s",
    async (planted) => {
      let found = 0;
      for (const seed of seeds.slice(0, 20))
        if ((await failoverWorld(seed, planted)).wrong.length > 0) found++;
      expect(found).toBeGreaterThan(5);
    },
  );
});
