import type { Mutant } from "./mutant.ts";
import { nodeMutants } from "./nodes.ts";
import { sessionMutants } from "./sessions.ts";
import { shardMutants } from "./shards.ts";
import { strongMutants } from "./strong.ts";

export type { Mutant } from "./mutant.ts";

/** All bugs that the simulation must find. */
export const mutants: readonly Mutant[] = [
  ...nodeMutants,
  ...sessionMutants,
  ...strongMutants,
  ...shardMutants,
];
