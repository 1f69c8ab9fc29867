import type { AroundCalls } from "../protocol/around-calls.ts";
import type { Pushes } from "../protocol/pushes.ts";
import type { ShardApi } from "../protocol/shard-api.ts";
import type { Watching } from "./watching.ts";

/** The way from a node to the shards of one space. Transports: `rpc/` in a Worker, `socket/` elsewhere; in tests a direct one. */
export interface ShardConnection {
  readonly space: string;
  /** Names the node to the shards, for transports whose calls don't belong to a session that does. */
  readonly node?: string;
  /** The calls of shard `index` (0 to 255). Cheap: transports that must not keep a stub make one for each call. */
  shard(index: number): ShardApi;
  /**
   * Settles when shard `index` can be called; nothing is sent to it before, so that whoever gives up meanwhile knows that nothing was done. Rejects
   * where it can't be reached. Absent: it can always be called.
   */
  ready?(index: number): Promise<void>;
  /** Shard `index` of an existing space has just answered. Never throws. Absent: that does not matter. */
  used?(index: number): void;
  /** Absent: there is no way around shards, and calls go straight to them. */
  readonly around?: AroundCalls | undefined;
  /** What shards tell unasked; absent: nothing. */
  readonly pushes?: Pushes | undefined;
  /** Watches; absent: there can be none over it. */
  readonly watching?: Watching | undefined;
  /**
   * Turns what a call threw into a WarpError: `overloaded`, `unavailable`, … with the outcome that is true for a mutation of
   * unknown fate.
   */
  fault(error: unknown): Error;
  close(): Promise<void>;
}
