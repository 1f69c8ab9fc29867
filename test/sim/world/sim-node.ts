import type { Adapter } from "../../../src/adapter/adapter.ts";
import { shardAdapter } from "../../../src/adapter/shard/shard-adapter.ts";
import type { Cache, CacheEntry } from "../../../src/cache/cache.ts";
import { memoryCache } from "../../../src/cache/memory/memory-cache.ts";
import type { ShardConnection } from "../../../src/connection/shard-connection.ts";
import { SpaceClient } from "../../../src/connection/space-client.ts";
import { SpaceLocks } from "../../../src/connection/space-locks.ts";
import type { RegistrationOptions } from "../../../src/core/types.ts";
import { Warp } from "../../../src/core/warp.ts";
import type { Leases } from "../../../src/lease/lease.ts";
import { shardLeases } from "../../../src/lease/shard/shard-leases.ts";
import type { Timers } from "../../../src/runtime/clock.ts";
import type { Seeded } from "../../support/seeded.ts";
import { type ClockFault, HostTime } from "./host-time.ts";
import type { Kernel } from "./kernel.ts";
import { watchedCache } from "./watched-cache.ts";
import type { Wire } from "./wire.ts";

/** A process with a place in the network: it can be paused, and end. */
export class Host {
  readonly name: string;
  readonly time: HostTime;
  readonly timers: Timers;
  readonly random: Seeded;
  readonly #kernel: Kernel;
  #pausedUntilMs = 0;
  #ended = false;
  #queue: (() => void)[] = [];

  constructor(kernel: Kernel, name: string, clock: ClockFault) {
    this.#kernel = kernel;
    this.name = name;
    this.time = new HostTime(kernel, clock);
    this.timers = this.time.timers((run) => this.deliver(run));
    this.random = kernel.chance(name);
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** Runs what has come for this host: now, or after its pause in the order in which it came; never, once it has ended. */
  deliver(run: () => void): void {
    if (this.#ended) return;
    if (this.#queue.length === 0 && this.#pausedUntilMs <= this.#kernel.nowMs) run();
    else this.#queue.push(run);
  }

  /** Stops the process for a while: its clocks run on, nothing else does. */
  pause(ms: number): void {
    const until = this.#kernel.nowMs + ms;
    if (until <= this.#pausedUntilMs) return;
    this.#pausedUntilMs = until;
    this.#kernel.at(until, () => this.#resume());
  }

  end(): void {
    this.#ended = true;
    this.#queue = [];
  }

  #resume(): void {
    if (this.#ended || this.#pausedUntilMs > this.#kernel.nowMs) return;
    const next = this.#queue.shift();
    if (next === undefined) return;
    // One thing at a time, each with all that follows from it.
    if (this.#queue.length > 0) this.#kernel.after(0, () => this.#resume());
    next();
  }
}

/** How a node is made. */
export interface SimNodeOptions {
  readonly clock: ClockFault;
  readonly connection: (node: SimNode) => ShardConnection;
  readonly registrations: readonly { readonly pattern: string; readonly options: RegistrationOptions }[];
  readonly maxEntries: number;
}

/** A real `Warp` on a host of the world. */
export class SimNode extends Host {
  readonly warp: Warp;
  readonly adapter: Adapter;
  readonly locks: SpaceLocks;
  readonly leases: Leases;
  readonly #cache: Cache;
  /** What background work failed with: a bug. */
  readonly leaks: unknown[] = [];
  /** Fills of L1 that broke its rule. */
  readonly wrongs: string[] = [];
  drops = 0;

  /** Sockets that it opened, with their shards. */
  readonly wires: { readonly wire: Wire; readonly shard: number }[] = [];

  constructor(kernel: Kernel, name: string, options: SimNodeOptions) {
    super(kernel, name, options.clock);
    const client = new SpaceClient({ connection: options.connection(this), timers: this.timers });
    this.adapter = shardAdapter(client);
    this.locks = new SpaceLocks(client);
    this.#cache = memoryCache({ maxEntries: options.maxEntries });
    this.warp = new Warp({
      adapter: this.adapter,
      leases: shardLeases(client),
      cache: watchedCache(
        this.#cache,
        () => this.time.wall.now(),
        (what) => this.wrongs.push(what),
      ),
      clock: this.time.wall,
      timers: this.timers,
      random: this.random,
      background: { run: (work) => void work.catch((error: unknown) => this.leaks.push(error)) },
      registrations: options.registrations,
    });
    // The node's own view of them: what it revokes it does not read any more.
    this.leases = this.warp.leases.driver;
    this.warp.on("drop", () => this.drops++);
  }

  /** The copy of a key in L1, if there is one. */
  copy(key: string): CacheEntry | undefined {
    return this.#cache.inspect(key, this.time.wall.now());
  }
}
