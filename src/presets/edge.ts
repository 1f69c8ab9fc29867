import { shardAdapter } from "../adapter/shard/shard-adapter.ts";
import { kvCache } from "../cache/kv/kv-cache.ts";
import type { KvNamespace } from "../cache/kv/namespace.ts";
import { memoryCache } from "../cache/memory/memory-cache.ts";
import { checkPolicyName, type EvictionPolicyName } from "../cache/memory/policies.ts";
import { rpcConnection, type ShardNamespace } from "../connection/rpc/rpc-connection.ts";
import { SpaceClient } from "../connection/space-client.ts";
import { Warp } from "../core/warp.ts";
import { workersBackground, workersClock, workersRandom, workersTimers } from "../platform/workers.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
import { maxKvTtlMs } from "../runtime/limits.ts";

/** Options of {@link edgeWarp}. */
export interface EdgeOptions {
  readonly namespace: ShardNamespace;
  readonly space: string;
  /** Workers KV as the second tier of keys whose policy has `kvTtlMs`. Default none. */
  readonly kv?: KvNamespace;
  /** Bounds of the isolate's L1 for this space. Default 100,000 entries, 32 MiB. */
  readonly maxEntries?: number;
  readonly maxBytes?: number;
  /** What a full L1 gives up first. Default `"s3-fifo"`. */
  readonly policy?: EvictionPolicyName;
  readonly statics?: readonly StoredRegistration[];
  /** Takes what background work failed with. */
  readonly onError: (error: unknown) => void;
}

/**
 * A node in a Worker isolate: L1 in the isolate's memory, the shards over RPC. It can be kept for the isolate's life: what
 * belongs to a request (stubs, timers, `waitUntil`) is taken anew for each call.
 */
export function edgeWarp(options: EdgeOptions): Warp {
  const { namespace, space, kv, maxEntries, maxBytes, policy, statics = [], onError } = options;
  const background = workersBackground(onError);
  const connection = rpcConnection({ namespace, space, lanes: { background, clock: workersClock } });
  const warp = new Warp({
    adapter: shardAdapter(new SpaceClient({ connection, timers: workersTimers })),
    cache: memoryCache({
      ...(maxEntries === undefined ? {} : { maxEntries }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(policy === undefined ? {} : { policy }),
    }),
    ...(kv === undefined ? {} : { secondTier: kvCache(kv, { space, ttlMs: maxKvTtlMs }) }),
    clock: workersClock,
    timers: workersTimers,
    random: workersRandom,
    background,
    registrations: statics.map(({ pattern, settings }) => ({ pattern, options: settings })),
  });
  warp.on("error", ({ error }) => onError(error));
  return warp;
}

/** The policy in `WARP_CACHE_POLICY`; absent or empty: the default. Throws `invalid_argument` that names the variable. */
export function parseCachePolicy(text: string | undefined): EvictionPolicyName {
  return text === undefined || text === "" ? "s3-fifo" : checkPolicyName(text, "WARP_CACHE_POLICY");
}
