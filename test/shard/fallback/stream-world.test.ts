import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { Sql } from "../../../src/runtime/sql.ts";
import { SavepointSql } from "../../support/savepoint-sql.ts";
import { VolatileSql } from "../../support/strong-world/volatile-sql.ts";
import { streamPlants } from "./stream-plants.ts";
import { type Plant, StreamWorld } from "./stream-world.ts";

// Elsewhere it costs a copy of the database for each commit.
const isCheap = host.name === "node";
const undurable = (sql: Sql) => (isCheap ? new SavepointSql(sql) : new VolatileSql(sql));
const world = (seed: number, plant?: Plant) =>
  host.withSql((sql) => new StreamWorld(sql, seed, undurable, plant).run());

describe("worlds of nodes around a shard and its stream", () => {
  it("SB8 OU1 OU2 CO4 each provisional change takes effect once, in its node's order, none is lost, and a node sees what it has proposed", async () => {
    const total: Record<string, number> = {};
    for (let seed = 1; seed <= (isCheap ? 40 : 3); seed++) {
      for (const [name, count] of Object.entries(await world(seed))) total[name] = (total[name] ?? 0) + count;
    }
    console.log("stream worlds:", JSON.stringify(total));
    // The worlds must have come to what they are made for.
    if (isCheap) for (const count of Object.values(total)) expect(count).toBeGreaterThan(10);
  }, 300_000);

  it.runIf(isCheap).each(streamPlants.map((plant) => [plant.name, plant] as const))(
    "SB8 finds it if %s",
    async (_, plant) => {
      let found: unknown;
      for (let seed = 1; seed <= 150 && found === undefined; seed++) {
        found = await world(seed, plant).then(
          () => undefined,
          (error: unknown) => error,
        );
      }
      expect(String(found)).toContain("seed");
      console.log(`planted: ${plant.name}: ${String(found).slice(0, 160)}`);
    },
    300_000,
  );
});
