import { checkPolicyName, type EvictionPolicyName } from "../cache/memory/policies.ts";
import { parseStaticRegistrations } from "../core/static-registrations.ts";
import type { WarpOptions } from "../core/types.ts";
import type { WarpNode } from "../core/warp-node.ts";
import { WarpError } from "../errors.ts";
import type { Fallbacks } from "../fallback/fallbacks.ts";
import { workersLog } from "../platform/workers.ts";
import { defaultCacheMaxBytes, maxSpacesPerNode } from "../runtime/limits.ts";
import { type EdgeNode, type EdgeOptions, edgeNode } from "./edge.ts";
import { Spaces } from "./spaces.ts";

/** What the nodes of an isolate need of the Worker's environment. */
export interface EdgeEnv {
  /** The Durable Object namespace of `WarpShard`. */
  readonly SHARDS: EdgeOptions["namespace"];
  /** The Durable Object namespace of `WarpRelay`: takes watches that a shard has no room for. Without it they are refused then. */
  readonly RELAYS?: NonNullable<EdgeOptions["relays"]>;
  /** Workers KV: the second tier of keys whose policy has `kvTtlMs`. Without it they have none. */
  readonly CACHE?: NonNullable<EdgeOptions["kv"]>;
  /** Static registrations: a JSON object from pattern to options. */
  readonly WARP_REGISTRATIONS?: string;
  /** What a full L1 gives up first: `s3-fifo` (default), `lru`, `lfu` or `adaptive`. */
  readonly WARP_CACHE_POLICY?: string;
  /** Whether requests subscribe to the shards that they use: `on` (default) or `off`. */
  readonly WARP_SUBSCRIBE?: string;
}

/**
 * The nodes of an isolate, one for each space, made by `make`; `made` is told of each. `fallbacks`: ways around shards. Throws what is wrong with `WARP_REGISTRATIONS`, `WARP_CACHE_POLICY` or
 * `WARP_SUBSCRIBE`.
 */
export function edgeSpaces<W extends WarpNode>(
  env: EdgeEnv,
  make: (options: WarpOptions) => W,
  made?: (warp: W) => void,
  fallbacks?: Fallbacks,
): Spaces<W> {
  const statics = parseStaticRegistrations(env.WARP_REGISTRATIONS);
  const policy = parseCachePolicy(env.WARP_CACHE_POLICY);
  const subscribe = parseSubscribe(env.WARP_SUBSCRIBE);
  const onError = (error: unknown) => workersLog.error("background work failed", { error });
  const nodes = new WeakMap<W, EdgeNode<W>>();
  return new Spaces({
    make: (space) => {
      const options = {
        ...{ namespace: env.SHARDS, space, statics, policy, subscribe, onError },
        ...(env.CACHE === undefined ? {} : { kv: env.CACHE }),
        ...(fallbacks && { fallbacks }),
        ...(env.RELAYS === undefined ? {} : { relays: env.RELAYS }),
      };
      const node = edgeNode(options, make);
      nodes.set(node.warp, node);
      made?.(node.warp);
      return node.warp;
    },
    used: (warp) => nodes.get(warp)?.used(),
    maxSpaces: maxSpacesPerNode,
    maxBytes: defaultCacheMaxBytes,
  });
}

/** Whether `WARP_SUBSCRIBE` wants subscriptions: `on` (absent, empty) or `off`. Throws `invalid_argument`. */
function parseSubscribe(text: string | undefined): boolean {
  if (text === undefined || text === "" || text === "on") return true;
  if (text === "off") return false;
  throw new WarpError("invalid_argument", "WARP_SUBSCRIBE is on or off", {
    details: { field: "WARP_SUBSCRIBE" },
  });
}

/** The policy in `WARP_CACHE_POLICY`; absent or empty: the default. Throws `invalid_argument` that names the variable. */
function parseCachePolicy(text: string | undefined): EvictionPolicyName {
  return text === undefined || text === "" ? "s3-fifo" : checkPolicyName(text, "WARP_CACHE_POLICY");
}
