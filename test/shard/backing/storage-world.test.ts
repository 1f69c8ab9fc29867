import { expect, it } from "vitest";
import { host } from "#host";
import type { Sql } from "../../../src/runtime/sql.ts";
import { SavepointSql } from "../../support/savepoint-sql.ts";
import { VolatileSql } from "../../support/strong-world/volatile-sql.ts";
import { type StorageRun, StorageWorld } from "./storage-world.ts";

// Elsewhere it costs a copy of the database for each commit.
const isCheap = host.name === "node";
const seeds = isCheap ? 80 : 5;
const undurable = (sql: Sql) => (isCheap ? new SavepointSql(sql) : new VolatileSql(sql));

it("AD4 ST5 over many seeds of ended instances, late, lost and repeated calls, lost tails and set-back logs: the storage becomes what the shard is, each entry once and in order", async () => {
  const total: Record<string, number> = {};
  for (let seed = 1; seed <= seeds; seed++) {
    const run: StorageRun = await host.withSql((sql) => new StorageWorld(sql, seed, undurable).run());
    for (const [name, count] of Object.entries(run)) total[name] = (total[name] ?? 0) + count;
  }
  console.log("storage worlds:", JSON.stringify(total));
  // The worlds must have come to what they are made for.
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(isCheap ? 30 : 0);
}, 300_000);
