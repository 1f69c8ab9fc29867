/**
 * Warp inside your own Worker: `createWarp(env)`. Bind the `WarpShard` class as `SHARDS` and export it from your entry
 * (`export { WarpShard } from "warp-edge/shard"`).
 */

import { parseStaticRegistrations } from "./core/static-registrations.ts";
import type { Warp } from "./core/warp.ts";
import { workersLog } from "./platform/workers.ts";
import {
  type EdgeNode,
  type EdgeOptions,
  edgeNode,
  parseCachePolicy,
  parseSubscribe,
} from "./presets/edge.ts";
import { Spaces } from "./presets/spaces.ts";
import { checkSpace } from "./protocol/key.ts";
import { defaultCacheMaxBytes, maxSpacesPerNode } from "./runtime/limits.ts";

/** What `createWarp` needs of the Worker's environment. */
export interface EdgeEnv {
  /** The Durable Object namespace of `WarpShard`. */
  readonly SHARDS: EdgeOptions["namespace"];
  /** Workers KV: the second tier of keys whose policy has `kvTtlMs`. Without it they have none. */
  readonly CACHE?: NonNullable<EdgeOptions["kv"]>;
  /** Static registrations: a JSON object from pattern to options. */
  readonly WARP_REGISTRATIONS?: string;
  /** What a full L1 gives up first: `s3-fifo` (default), `lru`, `lfu` or `adaptive`. */
  readonly WARP_CACHE_POLICY?: string;
  /** Whether requests subscribe to the shards that they use: `on` (default) or `off`. */
  readonly WARP_SUBSCRIBE?: string;
}

/** Options of {@link createWarp}. */
export interface CreateWarpOptions {
  /** 1 to 64 of `a-z 0-9 . _ -`. Default `"default"`. */
  readonly space?: string;
}

// Kept for the isolate's life, by the namespace that the environment binds: an entry's own state, as worker.ts has it.
const isolates = new WeakMap<object, Spaces>();

/**
 * The `Warp` of a space, the same one for all requests of an isolate. Throws `invalid_space`, and what is wrong with
 * `WARP_REGISTRATIONS`, `WARP_CACHE_POLICY` or `WARP_SUBSCRIBE`.
 */
export function createWarp(env: EdgeEnv, options: CreateWarpOptions = {}): Warp {
  const { space = "default" } = options;
  checkSpace(space);
  return spacesOf(env).warp(space);
}

/** The `Warp`s of this isolate, made at the first call; `made` is told of each that is made from then on. */
export function spacesOf(env: EdgeEnv, made?: (warp: Warp) => void): Spaces {
  let spaces = isolates.get(env.SHARDS);
  if (spaces === undefined) {
    const statics = parseStaticRegistrations(env.WARP_REGISTRATIONS);
    const policy = parseCachePolicy(env.WARP_CACHE_POLICY);
    const subscribe = parseSubscribe(env.WARP_SUBSCRIBE);
    const onError = (error: unknown) => workersLog.error("background work failed", { error });
    const nodes = new WeakMap<Warp, EdgeNode>();
    spaces = new Spaces({
      make: (space) => {
        const kv = env.CACHE === undefined ? {} : { kv: env.CACHE };
        const node = edgeNode({ namespace: env.SHARDS, space, statics, policy, subscribe, onError, ...kv });
        nodes.set(node.warp, node);
        made?.(node.warp);
        return node.warp;
      },
      used: (warp) => nodes.get(warp)?.used(),
      maxSpaces: maxSpacesPerNode,
      maxBytes: defaultCacheMaxBytes,
    });
    isolates.set(env.SHARDS, spaces);
  }
  return spaces;
}
