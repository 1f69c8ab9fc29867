import type { MutationAnswer } from "../adapter/adapter.ts";
import type { CacheEntry } from "../cache/cache.ts";
import { WarpError } from "../errors.ts";
import type { Settled } from "./loader.ts";
import type { MutationResult } from "./types.ts";

/** What became of one mutation. `copy`: the written value as L1 would hold it. */
export interface Written {
  readonly result: MutationResult;
  readonly copy: CacheEntry | undefined;
  readonly position: MutationAnswer["asOf"];
  /** The positions of all shards that took part, in their order. */
  readonly positions: readonly MutationAnswer["asOf"][];
}

/** The verdict of a mutation that got none: a bug below. */
export function unanswered(): Settled<Written> {
  return { error: new WarpError("internal", "a mutation was left unanswered") };
}

/** What each shard that took part answered, in the order of the shards. */
export function partsOf({ verdict, asOf, others = [] }: MutationAnswer) {
  return [{ verdict, asOf }, ...others].sort((a, b) => a.asOf.shard - b.asOf.shard);
}
