/** Figures of what stands beside a shard. */

import type { ErrorData } from "../errors.ts";

/** What waits for the storage behind a shard. */
export interface OutboxUsage {
  readonly entries: number;
  readonly bytes: number;
  /** Age of the oldest entry, ms; 0: none waits. */
  readonly lagMs: number;
  /** Keys whose value the storage was found to have lost, since the shard's instance began; absent: none. */
  readonly lost?: number;
  /** Times that the storage had less than it had confirmed, since then; absent: never. What it lacked went there again. */
  readonly losses?: number;
  /** Why the last attempt failed; absent: it did not. */
  readonly error?: ErrorData;
}

/** What a shard has made of the stream of proposals, since the space was made. */
export interface FallbackUsage {
  /** Applied, also where nothing was to be changed any more. */
  readonly applied: number;
  /** Of these, carried out before by the direct try. */
  readonly repeated: number;
  /** Refused: too large, the merge failed, … */
  readonly refused: number;
  /** Meant for an earlier life of the space. */
  readonly foreign: number;
  /** How often the stream was found to lack what it had acknowledged. */
  readonly losses: number;
  /** How long ago the end of the stream was seen, ms; absent: not since the shard woke. */
  readonly lagMs?: number;
  /** Why the last attempt failed; absent: it did not. */
  readonly error?: ErrorData;
}
