import { commitMutants } from "./commits.ts";
import { hubMutants } from "./hub.ts";
import { leaseMutants } from "./leases.ts";
import { lockShardMutants } from "./lock-shard.ts";
import { lockMutants } from "./locks.ts";
import type { Mutant } from "./mutant.ts";
import { nodeMutants } from "./nodes.ts";
import { pushMutants } from "./pushes.ts";
import { sessionMutants } from "./sessions.ts";
import { shardMutants } from "./shards.ts";
import { storageMutants } from "./storage.ts";
import { strongMutants } from "./strong.ts";
import { watchMutants } from "./watches.ts";
import { writeMutants } from "./writes.ts";

export type { Mutant } from "./mutant.ts";

/** All bugs that the simulation must find. */
export const mutants: readonly Mutant[] = [
  ...nodeMutants,
  ...pushMutants,
  ...sessionMutants,
  ...strongMutants,
  ...writeMutants,
  ...shardMutants,
  ...commitMutants,
  ...hubMutants,
  ...lockMutants,
  ...lockShardMutants,
  ...leaseMutants,
  ...watchMutants,
  ...storageMutants,
];
