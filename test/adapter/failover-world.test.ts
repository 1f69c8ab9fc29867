import { describe, expect, it } from "vitest";
import { host } from "#host";
import { failoverPlants } from "../support/failover-plants.ts";
import { type Plant, runFailoverWorld } from "../support/failover-world.ts";

async function run(seed: number, plant?: Plant) {
  let told: Awaited<ReturnType<typeof runFailoverWorld>> | undefined;
  await host.withSql(async (sql) => {
    told = await runFailoverWorld(sql, seed, plant);
  });
  if (told === undefined) throw new Error("the world did not end");
  return told;
}

describe("SB8 worlds of nodes that are cut off from a shard, from its stream, or from both", () => {
  it("SB8 SB3 CO4 OU1 over 20 seeds: what was acknowledged is there once and in order, reads are within their bound or marked, all end alike", async () => {
    const sum: Record<string, number> = {};
    for (let seed = 1; seed <= 20; seed++) {
      const { wrong, figures } = await run(seed);
      expect(wrong, `seed ${seed}`).toEqual([]);
      for (const [name, value] of Object.entries(figures)) sum[name] = (sum[name] ?? 0) + value;
    }
    console.log(`failover worlds: ${JSON.stringify(sum)}`);
    // A world in which nothing happens finds nothing.
    expect(sum.provisional).toBeGreaterThan(1_000);
    expect(sum.unknown).toBeGreaterThan(300);
    expect(sum.marked).toBeGreaterThan(500);
  }, 120_000);

  for (const plant of failoverPlants) {
    it(`finds it if ${plant.name}`, async () => {
      for (let seed = 1; seed <= 20; seed++) {
        const { wrong } = await run(seed, plant);
        if (wrong.length === 0) continue;
        console.log(`planted: ${plant.name}: seed ${seed}: ${wrong[0]}`);
        return;
      }
      expect.fail("no seed has found it");
    }, 120_000);
  }
});
