import type { StreamPlace } from "../fallback/fallback.ts";

/** How far a shard has applied the stream of proposals, and what it has found there. Written in the commit that applies. */
export interface FollowMark {
  readonly place?: StreamPlace;
  /** Up to here a stream that had lost its tail may give places anew: what is there is applied only if its op id tells that it was not. */
  readonly recheck?: StreamPlace;
  readonly applied: number;
  readonly repeated: number;
  readonly refused: number;
  readonly foreign: number;
  readonly losses: number;
}

/**
 * How far the stream is known: whatever was proposed before `seenMs` has been applied. What became of an operation must not be forgotten while the same operation may yet come
 * as a proposal; where nothing is known yet, nothing is forgotten.
 */
export interface Followed {
  seenMs: number | undefined;
}
