import { Failover } from "../adapter/failover/failover.ts";
import { shardAdapter } from "../adapter/shard/shard-adapter.ts";
import { memoryCache } from "../cache/memory/memory-cache.ts";
import type { EvictionPolicyName } from "../cache/memory/policies.ts";
import type { SocketConnectionOptions } from "../connection/socket/options.ts";
import { socketConnection } from "../connection/socket/socket-connection.ts";
import { SpaceClient } from "../connection/space-client.ts";
import { resolveStatics } from "../core/static-registrations.ts";
import type { WarpOptions } from "../core/types.ts";
import { Warp } from "../core/warp.ts";
import type { Fallbacks } from "../fallback/fallbacks.ts";
import { shardLeases } from "../lease/shard/shard-leases.ts";
import { sessionGrants } from "../lock/shard/session-grants.ts";
import { shardLocks } from "../lock/shard/shard-locks.ts";
import { nodeElapsed, nodeHost } from "../platform/node.ts";
import { nodeSockets } from "../platform/node-sockets.ts";
import { fromBase64Url, fromUtf8 } from "../runtime/bytes.ts";
import { randomHex } from "../runtime/ids.ts";
import { shardWatchBus } from "../watchbus/shard/shard-watch-bus.ts";

/** Options of {@link connectWarp}. */
export interface ConnectOptions
  extends Pick<SocketConnectionOptions, "token" | "zone" | "backoff" | "codec">,
    Pick<WarpOptions, "registrations" | "joinTimeoutMs" | "subject"> {
  /** 1 to 64 of `a-z 0-9 . _ -`. Default `"default"`. */
  readonly space?: string;
  /** Names this node for its life: 8 to 64 of `A-Z a-z 0-9 _ -`. Default: random. */
  readonly node?: string;
  /** Bounds of L1: see `memoryCache`. */
  readonly maxEntries?: number;
  readonly maxBytes?: number;
  /** What a full L1 gives up first. Default `"s3-fifo"`. */
  readonly policy?: EvictionPolicyName;
  /** Ways around shards that can't be reached, by the names under which spaces opt in, such as `upstash`. Default none. */
  readonly fallbacks?: Fallbacks;
  /** Takes what background work failed with. Default: a warning of the process. */
  readonly onError?: (error: unknown) => void;
}

/**
 * A node in a Node process: L1 in its memory, the shards of the deployment at `url` over one socket each. Changes of other nodes are pushed,
 * strong keys are served from L1 under a node lease. The first call connects; `close()` gives leases back and ends every socket.
 *
 * `token` must carry read, write and delete for the whole space, and lock for locks and elections. Op ids are of its subject; where `token` is a function, name it by `subject`.
 * Throws `invalid_space`, `invalid_argument` for an option out of its range.
 */
export function connectWarp(url: string, options: ConnectOptions = {}): Warp {
  const { space = "default", node, token, zone, backoff, maxEntries, maxBytes, policy, onError } = options;
  const { registrations, joinTimeoutMs, codec, subject = subjectOf(token) } = options;
  const host = nodeHost(onError);
  const name = node ?? `node-${randomHex(host.random, 12)}`;
  const statics = resolveStatics(registrations ?? []);
  const failover =
    options.fallbacks &&
    new Failover({ ...host, elapsed: nodeElapsed, space, node: name, statics, fallbacks: options.fallbacks });
  const connection = socketConnection({
    url,
    space,
    node: name,
    around: failover?.around,
    sockets: nodeSockets,
    clock: host.clock,
    elapsed: nodeElapsed,
    timers: host.timers,
    random: host.random,
    ...(token === undefined ? {} : { token }),
    ...(zone === undefined ? {} : { zone }),
    ...(backoff === undefined ? {} : { backoff }),
    ...(codec === undefined ? {} : { codec }),
  });
  const client = new SpaceClient({ connection, timers: host.timers });
  const adapter = shardAdapter(client);
  return new Warp({
    ...host,
    adapter: failover?.over(adapter) ?? adapter,
    locks: shardLocks({ client, sessions: sessionGrants }),
    leases: shardLeases(client),
    watches: shardWatchBus({ client, timers: host.timers }),
    cache: memoryCache({
      ...(maxEntries === undefined ? {} : { maxEntries }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(policy === undefined ? {} : { policy }),
    }),
    ...(registrations === undefined ? {} : { registrations }),
    ...(joinTimeoutMs === undefined ? {} : { joinTimeoutMs }),
    ...(subject === undefined ? {} : { subject }),
  });
}

/**
 * Under which name the shard knows who sends `token`: the subject of a signed one, unverified, since the shard verifies; that of the secret, or of an open deployment.
 * Undefined: it is only known when a function is called.
 */
function subjectOf(token: ConnectOptions["token"]): string | undefined {
  if (typeof token === "function") return undefined;
  if (token === undefined || token === "") return "open";
  const parts = token.split(".");
  const claims = parts.length === 3 ? fromBase64Url(parts[1] ?? "") : undefined;
  if (claims === undefined) return "admin";
  try {
    const { sub } = JSON.parse(fromUtf8(claims)) as { readonly sub?: unknown };
    return typeof sub === "string" ? sub : "admin";
  } catch {
    // No signed token, so it is a secret, or the shard will say that it is nothing.
    return "admin";
  }
}
