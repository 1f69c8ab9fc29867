/** What rides on every call to a shard, and on its answers. */

import type { ErrorData } from "../errors.ts";

/** Rides on every call: what the node takes the space to be. A shard that knows otherwise refuses with `stale`. */
export interface CallScope {
  readonly space: string;
  readonly shard: number;
  /** The space's identity as the node knows it; undefined before the node has met it. */
  readonly spaceId: string | undefined;
  /** The registration version the node works under (0: none seen). A shard that knows less fetches first. */
  readonly registrations: number;
  /** The node that calls, where no session says so: it does not count for the quorum of its own writes. */
  readonly node?: string;
  /** A place (`<ms>-<seq>`) in the fallback's stream up to which the shard has to apply it before it answers: the node knows, or has given to readers, what stands there. */
  readonly drain?: string;
}

/** Stands on every answer about a shard's data. */
export interface ShardStamp {
  readonly epoch: string;
  /** The log position at which the answer was true. */
  readonly asOf: number;
  /** The newest registration version that the shard knows. */
  readonly registrations: number;
}

/** A shard's refusal of a whole call: nothing was done. */
export interface Refusal {
  readonly refused: ErrorData;
  /** The node's picture of the space is old: fetch it again and repeat the call. */
  readonly stale?: true;
}
