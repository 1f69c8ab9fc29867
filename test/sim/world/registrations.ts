import type { RegistrationOptions } from "../../../src/core/types.ts";
import type { KeyClass, Plan, PlannedNode } from "./plan.ts";

/** Whether all gets of keys of this class have to be linearizable, wherever the space's registration is followed. */
export function isStrongClass(one: KeyClass): boolean {
  return one !== "eventual" && one !== "eventualPair" && one !== "sum" && one !== "ending";
}

/** What the space registers. */
export function spaceRegistrations(plan: Plan): ReadonlyMap<string, RegistrationOptions> {
  const eventual: RegistrationOptions = {
    mode: "eventual",
    cacheTtlMs: plan.cacheTtlMs,
    maxStalenessMs: plan.maxStalenessMs,
  };
  const strong: RegistrationOptions = { mode: "strong", cacheTtlMs: plan.cacheTtlMs };
  const patterns: readonly [KeyClass, string, RegistrationOptions][] = [
    ["eventual", "e*", eventual],
    ["strong", "s*", strong],
    ["mixed", "m*", strong],
    ["pair", "p*", strong],
    ["eventualPair", "g*", eventual],
    ["sum", "c*", { ...eventual, merge: "sum" }],
    ["strongSum", "k*", { ...strong, merge: "sum" }],
    [
      "quorum",
      "q*",
      {
        ...strong,
        quorum: plan.quorum.nodes,
        ...(plan.quorum.zones > 0 ? { minZones: plan.quorum.zones } : {}),
      },
    ],
    ["ending", "x*", eventual],
    ["strongEnding", "y*", strong],
    ["counter", "l*", strong],
    ["mark", "o*", strong],
  ];
  const used = new Set(plan.keys.map((planned) => planned.class));
  return new Map(patterns.filter(([one]) => used.has(one)).map(([, pattern, options]) => [pattern, options]));
}

/** What a node's own configuration says beside: some take the mixed keys for eventual. */
export function nodeRegistrations(plan: Plan, node: PlannedNode) {
  if (node.mixedIsStrong) return [];
  return plan.keys
    .filter((planned) => planned.class === "mixed")
    .map(({ key }) => ({
      pattern: key,
      options: {
        mode: "eventual",
        cacheTtlMs: plan.cacheTtlMs,
        maxStalenessMs: plan.maxStalenessMs,
      } as const,
    }));
}
