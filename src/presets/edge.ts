import { Failover } from "../adapter/failover/failover.ts";
import { shardAdapter } from "../adapter/shard/shard-adapter.ts";
import { kvCache } from "../cache/kv/kv-cache.ts";
import type { KvNamespace } from "../cache/kv/namespace.ts";
import { memoryCache } from "../cache/memory/memory-cache.ts";
import type { EvictionPolicyName } from "../cache/memory/policies.ts";
import { openSocket, type SocketNamespace } from "../connection/rpc/open-socket.ts";
import { rpcConnection, type ShardNamespace } from "../connection/rpc/rpc-connection.ts";
import type { ShardConnection } from "../connection/shard-connection.ts";
import { ownSockets } from "../connection/socket/own-sockets.ts";
import { type SubscribedConnection, subscribed } from "../connection/socket/subscriptions.ts";
import { SpaceClient } from "../connection/space-client.ts";
import type { Watching } from "../connection/watching.ts";
import type { WarpOptions } from "../core/types.ts";
import type { WarpNode } from "../core/warp-node.ts";
import type { Fallbacks } from "../fallback/fallbacks.ts";
import { shardLeases } from "../lease/shard/shard-leases.ts";
import { shardLocks } from "../lock/shard/shard-locks.ts";
import {
  workersBackground,
  workersClock,
  workersRandom,
  workersSockets,
  workersTimers,
} from "../platform/workers.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
import type { Caller } from "../protocol/wire/caller.ts";
import type { Background } from "../runtime/background.ts";
import { randomHex } from "../runtime/ids.ts";
import { maxKvTtlMs } from "../runtime/limits.ts";
import { shardWatchBus } from "../watchbus/shard/shard-watch-bus.ts";

/** The Durable Object namespace of `WarpShard`: its stubs answer calls, and open sockets. */
export interface EdgeNamespace<Id = unknown> extends ShardNamespace<Id> {
  get(id: Id): ReturnType<ShardNamespace<Id>["get"]> & ReturnType<SocketNamespace<Response>["get"]>;
}

/** Options of {@link edgeNode}. */
export interface EdgeOptions {
  readonly namespace: EdgeNamespace;
  /** That of `WarpRelay`. Default none: shards take watchers as long as they have room. */
  readonly relays?: SocketNamespace<Response>;
  readonly space: string;
  /** Workers KV as the second tier of keys whose policy has `kvTtlMs`. Default none. */
  readonly kv?: KvNamespace;
  /** Bounds of the isolate's L1 for this space. Default 100,000 entries, 32 MiB. */
  readonly maxEntries?: number;
  readonly maxBytes?: number;
  /** What a full L1 gives up first. Default `"s3-fifo"`. */
  readonly policy?: EvictionPolicyName;
  readonly statics?: readonly StoredRegistration[];
  /** Whether requests subscribe to the shards that they use, so that L1 learns of changes early. Default true. */
  readonly subscribe?: boolean;
  /** Ways around shards that can't be reached, for spaces that have opted in to one. Default none. */
  readonly fallbacks?: Fallbacks;
  /** Takes what background work failed with. */
  readonly onError: (error: unknown) => void;
}

/** A node in an isolate. */
export interface EdgeNode<W extends WarpNode> {
  readonly warp: W;
  /** To be called by each request that uses it, also where L1 has all that it asks for: keeps subscriptions going. */
  used(): void;
}

/**
 * A node in a Worker isolate: L1 in the isolate's memory, the shards over RPC. It can be kept for the isolate's life: what
 * belongs to a request (stubs, timers, `waitUntil`) is taken anew for each call. `make` decides how much of a `Warp` it is.
 */
export function edgeNode<W extends WarpNode>(
  options: EdgeOptions,
  make: (options: WarpOptions) => W,
): EdgeNode<W> {
  const { namespace, space, kv, maxEntries, maxBytes, policy, statics = [], onError } = options;
  const background = workersBackground(onError);
  const calls = rpcConnection({ namespace, space, lanes: { background, clock: workersClock } });
  const pushed = options.subscribe === false ? undefined : withSubscriptions(calls, options, background);
  const failover = options.fallbacks && failoverOf(options, options.fallbacks, background);
  const connection = {
    ...(pushed ?? calls),
    watching: watchingOf(options),
    around: failover?.around,
  };
  const client = new SpaceClient({ connection, timers: workersTimers });
  const adapter = shardAdapter(client);
  const warp = make({
    adapter: failover?.over(adapter) ?? adapter,
    locks: shardLocks({ client }),
    leases: shardLeases(client),
    // Each watch has sockets of its own, which end with the request that has opened them.
    watches: shardWatchBus({ client, timers: workersTimers }),
    // Timers end with the request that set them.
    renewLeases: false,
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
  return { warp, used: () => pushed?.renew() };
}

function failoverOf(
  { space, statics = [] }: EdgeOptions,
  fallbacks: Fallbacks,
  background: Background,
): Failover {
  const node = `isolate-${randomHex(workersRandom, 12)}`;
  return new Failover({
    ...{ fallbacks, space, statics, node, background },
    ...{ clock: workersClock, timers: workersTimers, random: workersRandom },
  });
}

function withSubscriptions(
  connection: ShardConnection,
  options: EdgeOptions,
  background: Background,
): SubscribedConnection {
  return subscribed(connection, {
    node: `isolate-${randomHex(workersRandom, 12)}`,
    // Nobody's rights are in it: it is told what changes, and asks nothing.
    sockets: (shard) => socketsOf(options, { ...isolate, shard }),
    background,
    clock: workersClock,
    timers: workersTimers,
    random: workersRandom,
    onError: options.onError,
  });
}

function watchingOf(options: EdgeOptions): Watching {
  return ownSockets({
    // It is the application's own code that watches.
    sockets: (shard) => socketsOf(options, { ...isolate, shard, follows: false, isAdmin: true }),
    timers: workersTimers,
    clock: workersClock,
    random: workersRandom,
  });
}

const isolate = { subject: "isolate", invalidates: false, locks: false, isAdmin: false } as const;

function socketsOf(
  { namespace, relays, space }: EdgeOptions,
  caller: Omit<Caller, "space">,
): ReturnType<typeof workersSockets> {
  return workersSockets(() => openSocket(namespace, relays, { space, ...caller }));
}
