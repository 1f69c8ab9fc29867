/**
 * Warp inside your own Worker: `createWarp(env)`. Bind the `WarpShard` class as `SHARDS` and export it from your entry
 * (`export { WarpShard } from "warp-edge/shard"`).
 */

import { Warp } from "./core/warp.ts";
import type { Fallbacks } from "./fallback/fallbacks.ts";
import { type EdgeEnv, edgeSpaces } from "./presets/edge-spaces.ts";
import type { Spaces } from "./presets/spaces.ts";
import { checkSpace } from "./protocol/key.ts";

export type { EdgeEnv } from "./presets/edge-spaces.ts";

/** Options of {@link createWarp}. */
export interface CreateWarpOptions {
  /** 1 to 64 of `a-z 0-9 . _ -`. Default `"default"`. */
  readonly space?: string;
  /** Ways around shards that can't be reached, for spaces that have opted in: as the `drivers` of your `WarpShard` have them. Those of an isolate's first call count. Default none. */
  readonly fallbacks?: Fallbacks;
}

// Kept for the isolate's life, by the namespace that the environment binds: an entry's own state, as worker.ts has it.
const isolates = new WeakMap<object, Spaces<Warp>>();

/**
 * The `Warp` of a space, the same one for all requests of an isolate. Throws `invalid_space`, and what is wrong with
 * `WARP_REGISTRATIONS`, `WARP_CACHE_POLICY` or `WARP_SUBSCRIBE`.
 */
export function createWarp(env: EdgeEnv, options: CreateWarpOptions = {}): Warp {
  const { space = "default", fallbacks } = options;
  checkSpace(space);
  let spaces = isolates.get(env.SHARDS);
  if (spaces === undefined) {
    spaces = edgeSpaces(env, (parts) => new Warp(parts), undefined, fallbacks);
    isolates.set(env.SHARDS, spaces);
  }
  return spaces.warp(space);
}
