import { expect, it } from "vitest";
import { host } from "#host";
import { type SupplyRun, SupplyWorld } from "./supply-world.ts";

const runs = host.name === "node" ? 60 : 10;

it(`AD2 AD4 over ${runs} seeds of foreign writers, a storage that is slow, lossy or down, values that are let go of and instances that end: each answer is what the log and the storage say`, async () => {
  const total: Record<string, number> = {};
  for (let seed = 1; seed <= runs; seed++) {
    const run = await host.withSql(async (sql): Promise<SupplyRun> => {
      const world = new SupplyWorld(sql, seed);
      try {
        return await world.run();
      } catch (error) {
        throw new Error(`${String(error)}\n${world.trace.slice(-60).join("\n")}`, { cause: error });
      }
    });
    for (const [name, count] of Object.entries(run)) total[name] = (total[name] ?? 0) + count;
  }
  console.log("supply worlds:", JSON.stringify(total));
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(runs / 4);
}, 300_000);
