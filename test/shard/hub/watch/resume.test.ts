import { expect, test } from "vitest";
import { host } from "#host";
import { ResumeWorld } from "./resume-world.ts";

// Both together have a thousand and more; `npm run sim -- --world hub --seeds N` runs as many as one likes.
const runs = host.name === "node" ? 800 : 120;

test(`WA2 WA4 WA7 over ${runs} seeds of cuts, slow readers, ended instances and a log that is trimmed: each entry once and in order, or a gap and then the state`, async () => {
  const totals = { events: 0, gaps: 0, resumes: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    await host.withSql(async (sql) => {
      const world = new ResumeWorld(sql, seed);
      try {
        await world.run(200);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      totals.events += world.events;
      totals.gaps += world.gaps;
      totals.resumes += world.resumes;
    });
  }
  // It has seen what it is about.
  expect(totals.events).toBeGreaterThan(runs * 5);
  expect(totals.gaps).toBeGreaterThan(runs / 10);
  expect(totals.resumes).toBeGreaterThan(runs);
}, 120_000);
