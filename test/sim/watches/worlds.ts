import { nodeSql } from "../../../src/platform/node.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { ResumeWorld } from "../../shard/hub/watch/resume-world.ts";
import { byClient, byNode, resumeRun } from "../../watchbus/resume-world.ts";
import type { WatchWorld } from "../planted/mutant.ts";

const worlds: Readonly<Record<WatchWorld, (sql: Sql, seed: number) => Promise<unknown>>> = {
  hub: (sql, seed) => new ResumeWorld(sql, seed).run(200),
  node: (sql, seed) => resumeRun(sql, seed, byNode),
  client: (sql, seed) => resumeRun(sql, seed, byClient),
};

/** Lets applications watch in a world of its own; gives what was wrong with what they were told. */
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
