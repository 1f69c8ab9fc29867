import type { ShapeName } from "../shapes/index.ts";

/** One place of one source file, written otherwise. */
export interface Edit {
  /** Path of the file in the project. */
  readonly file: string;
  /** A text that stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/**
 * Where bugs are looked for that plans do not come to. Those of watches: at the hub of a shard, with applications that speak its protocol, over a node's own watches, or over a
 * client's. Those of storage: at a shard that has one behind it.
 */
export const watchWorlds = ["hub", "node", "client", "storage"] as const;
export type WatchWorld = (typeof watchWorlds)[number];

/** A bug to plant. */
export interface Mutant extends Edit {
  readonly name: string;
  /** What is wrong then, in a sentence. */
  readonly what: string;
  /** Further places, where a second guard would make good for the first, or a limit is too large. */
  readonly also?: readonly Edit[];
  /** Plans in which it can be seen, where those of chance seldom come to it. */
  readonly shape?: ShapeName;
  /** It is looked for in a world of its own. */
  readonly world?: WatchWorld;
}
