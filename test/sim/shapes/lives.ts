import type { Seeded } from "../../support/seeded.ts";
import type { Plan, Planned, PlannedFault } from "../world/plan.ts";
import { base, faults, gets, inOrder, randomOf, sets } from "./parts.ts";

/**
 * A node with a slow clock that stands still until about the end of its lease, while somebody writes what it holds: what it was asked before, it answers
 * before it reads its messages.
 */
export function leaseEnd(seed: number): Plan {
  const random = randomOf(seed);
  // The last ping of the node leaves about two beats after its first get.
  const stillMs = 2_500;
  const ms = 3_500 + random.below(120);
  const plan = standstill(seed, random, [{ atMs: stillMs, ms }], 8_000);
  return {
    ...plan,
    link: { minDelayMs: 0, spreadMs: 1, breaks: 0, twice: 0 },
    shard: { ...plan.shard, flushSpreadMs: 1 },
  };
}

/** The same some times, where the answer to the node's ping was long on its way. */
export function slowLease(seed: number): Plan {
  const random = randomOf(seed);
  const stills = [2_500, 10_000, 17_500].map((fromMs) => ({
    atMs: fromMs + random.below(1_000),
    ms: 3_000 + random.below(1_500),
  }));
  const plan = standstill(seed, random, stills, 24_000);
  const slow: Planned = { atMs: 0, fault: "slow", node: 0, shard: 0, ms: 24_000, by: 700 };
  return { ...plan, steps: inOrder([slow], plan.steps) };
}

function standstill(
  seed: number,
  random: Seeded,
  stills: readonly { readonly atMs: number; readonly ms: number }[],
  untilMs: number,
): Plan {
  const plan = base(seed, random, ["z0", "z0"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one, at) => (at === 0 ? { ...one, clock: { rate: 0.995, offsetMs: 0 } } : one)),
    keys: [{ key: "s0", class: "strong" }],
    untilMs,
    steps: inOrder(
      sets(random, [0, 20], 10, ["door"], ["s0"]),
      gets(random, [20, untilMs], 40, [0], ["s0"]),
      ...stills.flatMap(({ atMs, ms }): Planned[][] => [
        gets(random, [atMs - 200, atMs + 8], 8, [0], ["s0"]),
        [{ atMs, fault: "pause", node: 0, ms }],
        // A client waits 2.5 s: some of these are answered when the lease is over.
        sets(random, [atMs + 15, atMs + ms], 150, ["door"], ["s0"]),
        gets(random, [atMs + ms - 200, atMs + ms + 50], 20, [1], ["s0"]),
      ]),
    ),
  };
}

/** A node whose socket breaks, and that comes to its copies again when the lease of before is over. */
export function reconnect(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1", "s2", "s3", "s4", "s5"];
  return {
    ...base(seed, random, ["z0", "z0"]),
    keys: [...keys, "s9"].map((key) => ({ key, class: "strong" })),
    untilMs: 9_000,
    steps: inOrder(
      sets(random, [0, 100], 5, ["door"], [...keys, "s9"]),
      gets(random, [200, 900], 10, [0], keys),
      [{ atMs: 1_000, fault: "drop", node: 0, shard: 0 }],
      gets(random, [1_000, 6_000], 100, [0], ["s9"]),
      [{ atMs: 5_500, fault: "slow", node: 0, shard: 0, ms: 3_500, by: 300 }],
      sets(random, [6_000, 8_500], 200, ["door"], keys),
      gets(random, [6_000, 8_500], 5, [0], keys),
    ),
  };
}

/** An instance that goes on after another took its place, or ends at once, while a node holds keys of it and others write at the new one. */
export function succession(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1"];
  const atMs = 1_500 + random.below(1_500);
  const plan = base(seed, random, ["z0", "z0"]);
  const goesOn = random.below(4) > 0;
  const end: PlannedFault = goesOn
    ? { fault: "supersede", shard: 0, ms: 14_000 }
    : { fault: "kill", shard: 0, downMs: 0 };
  return {
    ...plan,
    // The second one calls the new instance, the first one stays with the old.
    nodes: plan.nodes.map((one, at) => (at === 1 ? { ...one, transport: "rpc" } : one)),
    keys: keys.map((key) => ({ key, class: "strong" })),
    untilMs: 14_000,
    steps: inOrder(
      sets(random, [0, 40], 10, ["door"], keys),
      gets(random, [20, atMs - 20], 30, [0], keys),
      gets(random, [atMs - 20, atMs + 100], 1, [0], keys),
      gets(random, [atMs + 100, 12_000], 25, [0], keys),
      gets(random, [atMs, 12_000], 200, [1], keys),
      [{ atMs, ...end }],
      sets(random, [atMs, atMs + 60], 8, ["door"], keys),
      sets(random, [atMs + 60, 12_000], 350, ["door"], keys),
    ),
  };
}

/** An object that falls asleep between two uses, its sockets open, and what nodes hold with it. */
export function sleep(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1"];
  const span = [0, 18_000] as const;
  const evict = (): PlannedFault => ({ fault: "evict", shard: 0, sockets: true });
  return {
    ...base(seed, random, ["z0", "z0"]),
    keys: keys.map((key) => ({ key, class: "strong" })),
    untilMs: 18_000,
    steps: inOrder(
      sets(random, [0, 40], 10, ["door"], keys),
      gets(random, span, 15, [0, 1], keys),
      faults(random, [1_500, 9_000], 100, evict),
      sets(random, [1_500, 18_000], 900, ["door"], keys),
    ),
  };
}
