import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { nullAdapter } from "../../src/adapter/null/null-adapter.ts";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { upstashAdapter } from "../../src/adapter/upstash/upstash-adapter.ts";
import { memoryBacking } from "../../src/backing/memory/memory-backing.ts";
import { upstashBacking } from "../../src/backing/upstash/upstash-backing.ts";
import { kvCache } from "../../src/cache/kv/kv-cache.ts";
import type { KvNamespace } from "../../src/cache/kv/namespace.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { tieredCache } from "../../src/cache/tiered/tiered-cache.ts";
import type { ShardConnection } from "../../src/connection/shard-connection.ts";
import { ownSockets } from "../../src/connection/socket/own-sockets.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { WarpError } from "../../src/errors.ts";
import { MemoryLeaseSpace } from "../../src/lease/memory/memory-lease-space.ts";
import { memoryLeases } from "../../src/lease/memory/memory-leases.ts";
import { shardLeases } from "../../src/lease/shard/shard-leases.ts";
import { memoryLocks } from "../../src/lock/memory/memory-locks.ts";
import { shardLocks } from "../../src/lock/shard/shard-locks.ts";
import { upstashLocks } from "../../src/lock/upstash/upstash-locks.ts";
import { nodeHost } from "../../src/platform/node.ts";
import { broadcastChannelBus } from "../../src/syncbus/broadcast-channel/broadcast-channel-bus.ts";
import { memoryBus } from "../../src/syncbus/memory/memory-bus.ts";
import { MemoryBusHub } from "../../src/syncbus/memory/memory-bus-hub.ts";
import { shardBus } from "../../src/syncbus/shard/shard-bus.ts";
import { upstashBus } from "../../src/syncbus/upstash/upstash-bus.ts";
import { memoryWatchBus } from "../../src/watchbus/memory/memory-watch-bus.ts";
import { shardWatchBus } from "../../src/watchbus/shard/shard-watch-bus.ts";
import { upstashWatchBus } from "../../src/watchbus/upstash/upstash-watch-bus.ts";

/** Drivers of one contract. */
export interface Family {
  /** Its folder under `src/`; the contract is `src/{folder}/{contract}.ts`. */
  readonly folder: string;
  readonly contract: string;
  /** The interface of what a driver says that it can; undefined: all drivers can all of it. */
  readonly abilities?: string;
  /** What it is for, in a sentence. */
  readonly about: string;
  /** The page that tells more. */
  readonly page: string;
  readonly drivers: readonly Driver[];
  /** Folders of what wraps other drivers and can what those can. */
  readonly wrappers?: readonly string[];
}

/** One driver, or one way of making it. */
export interface Driver {
  readonly name: string;
  /** Its folder within the family's. Default: its name. */
  readonly folder?: string;
  /** What it says itself. */
  readonly supports: Readonly<Record<string, boolean>>;
}

const host = nodeHost();
const upstash = { ...host, url: "https://example.upstash.io", token: "none", space: "none" };
/** Nothing is asked here: drivers are made, and say what they can. */
const nowhere: ShardConnection = {
  space: "none",
  shard: () => {
    throw new Error("nothing is asked here");
  },
  fault: (error) => new WarpError("internal", String(error)),
  close: async () => {},
};
const client = new SpaceClient({ connection: nowhere, timers: host.timers });
const sockets = { sockets: () => ({ open: () => nowhere.shard(0) as never }), ...host };
const overSockets = new SpaceClient({
  connection: { ...nowhere, watching: ownSockets(sockets) },
  timers: host.timers,
});
const channel = { postMessage() {}, addEventListener() {}, close() {} };
const kv = {} as KvNamespace;

function driver(name: string, { supports }: { readonly supports: object }, folder = name): Driver {
  return { name, folder, supports: supports as Driver["supports"] };
}

export const families: readonly Family[] = [
  {
    folder: "adapter",
    contract: "adapter",
    abilities: "AdapterSupports",
    about: "Storage: what a `Warp` reads from and writes to behind its L1.",
    page: "adapter.md",
    drivers: [
      driver("memory", memoryAdapter(host)),
      driver("null", nullAdapter(host)),
      driver("shard", shardAdapter(client)),
      driver("upstash", upstashAdapter(upstash)),
    ],
    wrappers: ["failover"],
  },
  {
    folder: "backing",
    contract: "backing",
    abilities: "BackingSupports",
    about: "Storage behind the shards of a space, which follows their logs.",
    page: "upstash-backing.md",
    drivers: [driver("memory", memoryBacking(host)), driver("upstash", upstashBacking(upstash))],
  },
  {
    folder: "fallback",
    contract: "fallback",
    about: "The way around a shard that can't be reached: a stream of proposals.",
    page: "upstash-fallback.md",
    drivers: [
      { name: "memory", supports: {} },
      { name: "upstash", supports: {} },
    ],
  },
  {
    folder: "cache",
    contract: "cache",
    abilities: "CacheSupports",
    about: "Copies: a node's L1, and a second tier behind it.",
    page: "cache.md",
    drivers: [
      driver("memory", memoryCache()),
      driver("kv", kvCache(kv, { space: "none", ttlMs: 3_600_000 })),
      driver(
        "tiered (memory, kv)",
        tieredCache(memoryCache(), kvCache(kv, { space: "none", ttlMs: 3_600_000 })),
        "tiered",
      ),
    ],
    wrappers: ["resilient", "versioned"],
  },
  {
    folder: "syncbus",
    contract: "syncbus",
    abilities: "SyncBusSupports",
    about: "How nodes tell each other what changed.",
    page: "syncbus.md",
    drivers: [
      driver("memory", memoryBus({ hub: new MemoryBusHub(host) })),
      driver("broadcast-channel", broadcastChannelBus({ channel, ...host })),
      driver("shard", shardBus({ client, pushes: {} as never, ...host })),
      driver("upstash", upstashBus(upstash)),
    ],
    wrappers: ["circuit-breaker", "failover"],
  },
  {
    folder: "watchbus",
    contract: "watchbus",
    abilities: "WatchBusSupports",
    about: "Who hears of changes, in order, and can go on from a cursor.",
    page: "watchbus.md",
    drivers: [
      driver("memory", memoryWatchBus({ log: new MemoryStorage(host).watching, ...host })),
      driver("shard", shardWatchBus({ client: overSockets, timers: host.timers })),
      driver("shard, without sockets", shardWatchBus({ client, timers: host.timers }), "shard"),
      driver(
        "upstash",
        upstashWatchBus({ ...host, ...upstash, state: async () => ({ items: [], more: false }) }),
      ),
    ],
  },
  {
    folder: "lock",
    contract: "lock",
    abilities: "LocksSupports",
    about: "Locks, semaphores and elections.",
    page: "lock.md",
    drivers: [
      driver("memory", memoryLocks(host)),
      driver("shard, over sockets", shardLocks({ client, sessions: () => ({}) as never }), "shard"),
      driver("shard", shardLocks({ client })),
      driver("upstash", upstashLocks(upstash)),
    ],
  },
  {
    folder: "lease",
    contract: "lease",
    abilities: "LeasesSupports",
    about: "Leases: many keys that end together.",
    page: "leases.md",
    drivers: [
      driver("memory", memoryLeases({ space: new MemoryLeaseSpace(host) })),
      driver("shard", shardLeases(client)),
    ],
  },
];
