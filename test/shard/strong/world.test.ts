import { describe, expect, it } from "vitest";
import { host } from "#host";
import type { Sql } from "../../../src/runtime/sql.ts";
import { StrongWorld } from "../../support/strong-world/world.ts";

const runs = host.name === "node" ? 200 : 30;

describe("ST1 ST2 ST5 ST7 strong reads and writes in any order", () => {
  it(`of ${runs} worlds of three nodes none goes back or shows what failed, and no write waits for ever`, async () => {
    const total = { written: 0, failed: 0, served: 0, ends: 0, superseded: 0, leases: 0 };
    const play = async (sql: Sql, spare?: Sql): Promise<void> => {
      for (let seed = 1; seed <= runs; seed++) {
        const world = new StrongWorld(sql, spare, { seed, steps: 120 });
        try {
          await world.run();
        } catch (error) {
          const story = world.trace.slice(-60).join("\n");
          throw new Error(`seed ${seed}: ${String(error)}\n${story}`, { cause: error });
        }
        for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += world.figures[name];
        await world.clear();
      }
    };
    // In workerd a database is another object's, and one object can't reach into another.
    if (host.name === "node") await host.withSql((sql) => host.withSql((spare) => play(sql, spare)));
    else await host.withSql((sql) => play(sql));
    // All that matters did happen.
    const { superseded, ...always } = total;
    for (const count of Object.values(always)) expect(count).toBeGreaterThan(runs / 10);
    if (host.name === "node") expect(superseded).toBeGreaterThan(runs / 10);
  }, 120_000);
});
