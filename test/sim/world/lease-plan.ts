import { seeded } from "../../support/seeded.ts";
import type { Planned, PlannedKey, Profile } from "./plan.ts";

/** Runs of which some deletions are the ends of leases; the others stay as they were before there were any. */
const one = { of: 4, at: 3 } as const;
/** Keys whose judges know no deletions. */
const never: ReadonlySet<PlannedKey["class"]> = new Set(["sum", "strongSum", "pair", "eventualPair"]);

/** Makes some deletions of a plan, and of plans with few of them some writes, the ends of leases. */
export function withLeaseEnds(
  seed: number,
  profile: Profile,
  keys: readonly PlannedKey[],
  nodes: number,
  steps: readonly Planned[],
): readonly Planned[] {
  if (seed % one.of !== one.at || profile === "restore") return steps;
  // Chance of its own: what the plan was made of without leases is the same.
  const random = seeded(seed ^ 0x1ea5e);
  const others = keys.filter((key) => !never.has(key.class)).map(({ key }) => key);
  return steps.map((step): Planned => {
    if (!("do" in step) || !("key" in step) || !others.includes(step.key)) return step;
    const share = step.do === "delete" ? 60 : step.do === "set" ? 15 : 0;
    if (random.below(100) >= share) return step;
    return {
      atMs: step.atMs,
      do: "leaseEnd",
      by: random.below(nodes),
      keys: [...new Set([step.key, ...(random.below(3) === 0 ? [random.pick(others)] : [])])],
      ttlMs: random.pick([300, 2_000, 60_000, 60_000]),
      thinkMs: random.pick([0, 20, 400, 1_500]),
    };
  });
}
