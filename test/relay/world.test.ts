import { expect, test } from "vitest";
import { host } from "#host";
import { RelayBed } from "../support/relay-bed.ts";
import { seeded } from "../support/seeded.ts";
import { RelayWorld } from "./relay-world.ts";

const runs = 60;

test(`WA2 WA4 over ${runs} seeds of relays whose feeds are lost, doubled and late, and whose instances and shard end: each entry once and in order, or a gap and then the state`, async () => {
  const totals = { events: 0, gaps: 0, resumes: 0, feeds: 0, pulls: 0, states: 0 };
  for (let seed = 1; seed <= runs; seed++) {
    await host.withSql(async (sql) => {
      const chance = seeded(seed + 1_000_000);
      let bed: RelayBed | undefined;
      const world = new RelayWorld(sql, seed, {
        bed: (options) => {
          const { watchSizes: sizes } = options;
          const replicaSize = { entries: 4 + chance.below(30), bytes: 50 + chance.below(20_000) };
          bed = new RelayBed(sql, 2, options, { ...(sizes && { sizes }), replicaSize }, seed);
          bed.faults = { lost: chance.below(12), doubled: chance.below(10), delayMs: chance.below(20) };
          return bed;
        },
        disturb: async (random) => {
          if (bed === undefined) return;
          const what = random.below(10);
          // Applications come back here or there.
          bed.next = random.pick([0, 0, 1, 1, undefined]);
          const site = random.pick(bed.sites);
          if (what < 4) site.restart(site.isIdle);
          else if (what < 6) bed.ring();
          else if (what < 7) await bed.pass(3_000);
          else if (what < 8) bed.bed.shard.renew().catch(() => undefined);
        },
        settle: async () => {
          if (bed === undefined) return;
          bed.faults = { lost: 0, doubled: 0, delayMs: 3 };
          await bed.pass(40_000);
        },
      });
      try {
        await world.run(200);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      for (const name of ["events", "gaps", "resumes"] as const) totals[name] += world[name];
      for (const name of ["feeds", "pulls", "states"] as const) totals[name] += bed?.[name] ?? 0;
    });
  }
  // It has seen what it is about.
  expect(totals.events).toBeGreaterThan(runs * 10);
  expect(totals.gaps).toBeGreaterThan(runs / 10);
  expect(totals.feeds).toBeGreaterThan(runs * 20);
  expect(totals.states).toBeGreaterThan(runs);
});
