import type { Plan, PlannedCall, PlannedFault } from "../world/plan.ts";
import { base, faults, gets, inOrder, often, randomOf, sets } from "./parts.ts";

/** Keys in three shards that leases get and that end with them, mostly before long, while shards die and answers take their time. */
export function leaseEnds(seed: number): Plan {
  const random = randomOf(seed);
  const keys = ["s0", "s1", "s2", "e0", "e1"];
  const span = [0, 8_000] as const;
  const end = (): PlannedCall => ({
    do: "leaseEnd",
    by: random.below(3),
    keys: [...new Set([random.pick(keys), random.pick(keys)])],
    ttlMs: random.pick([100, 100, 150, 60_000]),
    thinkMs: random.pick([0, 100, 400]),
  });
  const trouble = (): PlannedFault => ({ fault: "kill", shard: random.below(3), downMs: random.below(300) });
  const plan = base(seed, random, ["z0", "z0", "z1"]);
  return {
    ...plan,
    shards: 3,
    link: { minDelayMs: 0, spreadMs: random.pick([60, 150]), breaks: 0, twice: 0 },
    maxStalenessMs: 200,
    keys: keys.map((key) => ({ key, class: key.startsWith("s") ? "strong" : "eventual" })),
    untilMs: 8_000,
    steps: inOrder(
      gets(random, span, 15, [0, 1, 2], keys),
      sets(random, span, 120, [0, 1, 2, "door"], keys),
      often(random, span, 250, end),
      faults(random, span, 1_500, trouble),
    ),
  };
}
