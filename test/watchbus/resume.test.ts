import { expect, it } from "vitest";
import { host } from "#host";
import { byClient, byNode, resumeRun } from "./resume-world.ts";

const runs = host.name === "node" ? 150 : 30;

it.each([
  ["a node", byNode],
  ["a client", byClient],
])(
  `WA2 WA3 WA4 WA7 the watches of %s over ${runs} seeds of cuts, ended instances, a trimmed log, slow and resumed readers: each change once and in order, or a gap and then the state, and no publication is left out in silence`,
  async (_, way) => {
    let [gaps, events] = [0, 0];
    for (let seed = 1; seed <= runs; seed++) {
      const told = await host
        .withSql((sql) => resumeRun(sql, seed, way))
        .catch((cause: unknown) => {
          throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
        });
      gaps += told.gaps;
      events += told.events;
    }
    // That it shows something.
    expect(gaps).toBeGreaterThan(runs / 20);
    expect(events).toBeGreaterThan(runs * 10);
  },
  120_000,
);
