import { nodeSql } from "../../../src/platform/node.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { StorageWorld } from "../../shard/backing/storage-world.ts";
import { ResumeWorld } from "../../shard/hub/watch/resume-world.ts";
import { SavepointSql } from "../../support/savepoint-sql.ts";
import { byClient, byNode, resumeRun } from "../../watchbus/resume-world.ts";
import type { WatchWorld } from "../planted/mutant.ts";

const worlds: Readonly<Record<WatchWorld, (sql: Sql, seed: number) => Promise<unknown>>> = {
  hub: (sql, seed) => new ResumeWorld(sql, seed).run(200),
  node: (sql, seed) => resumeRun(sql, seed, byNode),
  client: (sql, seed) => resumeRun(sql, seed, byClient),
  storage: (sql, seed) => new StorageWorld(sql, seed, (one) => new SavepointSql(one)).run(),
};

/** Lets a world run; gives what was wrong in it. */
export async function watchRun(world: WatchWorld, seed: number): Promise<string | undefined> {
  const sql = nodeSql();
  try {
    await worlds[world](sql, seed);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    sql.close();
  }
}
