import type { Plan, PlannedCall, PlannedFault } from "../world/plan.ts";
import { base, faults, gets, inOrder, often, randomOf, sets } from "./parts.ts";

/** Eventual keys, a short bound, and links on which pushes, or answers, come late. */
export function late(seed: number, transport: "rpc" | "socket"): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "e1"];
  const span = [0, 6_000] as const;
  const trouble = (): PlannedFault =>
    random.below(3) === 0
      ? { fault: "cut", node: random.below(2), shard: 0, ms: 500, way: "back" }
      : { fault: "slow", node: random.below(2), shard: 0, ms: 1_500, by: 600 };
  const plan = base(seed, random, ["z0", "z0", "z1"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one) => ({ ...one, transport })),
    maxStalenessMs: random.pick([40, 150]),
    keys: keys.map((key) => ({ key, class: "eventual" })),
    untilMs: 6_000,
    steps: inOrder(
      gets(random, span, 12, [0, 1, 2], keys),
      sets(random, span, 50, [0, 1, 2, "door"], keys),
      faults(random, span, 900, trouble),
    ),
  };
}

/** Answers that overtake each other: nodes that call, and read and write the same few keys all the time. */
export function overtaking(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "s0"];
  const span = [0, 4_000] as const;
  const remove = (): PlannedCall => ({ do: "delete", by: random.below(3), key: random.pick(keys) });
  const plan = base(seed, random, ["z0", "z0", "z1"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one, at) => ({ ...one, transport: at === 2 ? "socket" : "rpc" })),
    link: { minDelayMs: 0, spreadMs: random.pick([40, 120]), breaks: 0, twice: 0 },
    maxStalenessMs: random.pick([30, 200, 1_000]),
    keys: [
      { key: "e0", class: "eventual" },
      { key: "s0", class: "strong" },
    ],
    untilMs: 4_000,
    steps: inOrder(
      gets(random, span, 6, [0, 1, 2], keys),
      sets(random, span, 60, [0, 1, 2, "door"], keys),
      often(random, span, 300, remove),
    ),
  };
}

/** A node that nobody uses for so long that it leaves, and that comes back while others write. */
export function idle(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "e1", "e2", "e3", "e4", "e5"];
  const backMs = 75_000 + random.below(200);
  return {
    ...base(seed, random, ["z0", "z0"]),
    maxStalenessMs: 40,
    keys: keys.map((key) => ({ key, class: "eventual" })),
    untilMs: backMs + 2_000,
    steps: inOrder(
      sets(random, [0, 500], 20, ["door"], keys),
      gets(random, [500, 1_500], 10, [0], keys),
      sets(random, [20_000, 74_000], 4_000, ["door"], keys),
      sets(random, [backMs - 200, backMs + 1_500], 8, [1, "door"], keys),
      gets(random, [backMs, backMs + 1_500], 8, [0], keys),
    ),
  };
}

/** Calls that are seconds on their way, whose callers ask what became of them and settle that. */
export function overdue(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["e0", "s0"];
  const plan = base(seed, random, ["z0", "z0"]);
  return {
    ...plan,
    nodes: plan.nodes.map((one) => ({ ...one, transport: "rpc" })),
    repeats: true,
    keys: [
      { key: "e0", class: "eventual" },
      { key: "s0", class: "strong" },
    ],
    untilMs: 20_000,
    steps: inOrder(
      gets(random, [0, 800], 50, [0], keys),
      [{ atMs: 1_000, fault: "slow", node: 0, shard: 0, ms: 20_000, by: 5_000 }],
      sets(random, [1_000, 8_000], 60, [0], keys),
      gets(random, [0, 20_000], 60, [1], keys),
    ),
  };
}
