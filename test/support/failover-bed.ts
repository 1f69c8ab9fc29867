import { Failover } from "../../src/adapter/failover/failover.ts";
import type { FailoverOptions } from "../../src/adapter/failover/failover-options.ts";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import type { WarpOptions } from "../../src/core/types.ts";
import { Warp } from "../../src/core/warp.ts";
import type { ErrorData } from "../../src/errors.ts";
import type { Fallback } from "../../src/fallback/fallback.ts";
import { memoryFallback } from "../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../src/fallback/memory/memory-streams.ts";
import type { StreamFaults } from "../../src/fallback/memory/stream-faults.ts";
import { shardLocks } from "../../src/lock/shard/shard-locks.ts";
import type { CallScope, FallbackUsage, ShardApi, SpaceOptionsData } from "../../src/protocol/shard-api.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import type { BackingRegistry } from "../../src/shard/behind.ts";
import { openFollower } from "../../src/shard/fallback/follower.ts";
import { directConnection } from "./direct-connection.ts";
import { seeded } from "./seeded.ts";
import { expectReply, ShardBed } from "./shard-bed.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** What the way from a node to the shard does with a call: carries it, breaks before or after the shard has it, or loses it without a word. */
export type Reach = "up" | "down" | "lost after" | "silent";

/** A node that may be cut off. */
export interface FailoverNode {
  readonly warp: Warp;
  readonly failover: Failover | undefined;
  readonly errors: unknown[];
  /** What happens with its calls now. */
  reach: Reach;
  /** How long its calls take to the shard, and their answers back, ms. */
  delayMs: () => number;
}

/** A real shard whose space has opted in, its stream, and nodes that may be cut off from either. The shard follows its stream as it does everywhere. */
export class FailoverBed {
  readonly clock: VirtualClock;
  readonly bed: ShardBed;
  readonly streams: MemoryStreams;
  readonly reported: unknown[] = [];
  /** Whether the shard hears that it has to read its stream first: a planted bug. */
  drains = true;
  /** What goes wrong between the shard and its stream. */
  shardFaults: StreamFaults = () => undefined;
  /** What it answers those who ask for that, where it can't. */
  drainRefusal: ErrorData | undefined;
  #cancelAlarm: () => void = () => {};
  #nodes = 0;
  readonly #hasOptedIn: boolean;

  constructor(
    sql: Sql,
    {
      hasOptedIn = true,
      clock = virtualClock(),
      bounds = {},
      backings,
    }: {
      hasOptedIn?: boolean;
      /** A storage `memory` behind the shard, for spaces that are made with one. */
      backings?: BackingRegistry;
      clock?: VirtualClock;
      bounds?: ConstructorParameters<typeof MemoryStreams>[1];
    } = {},
  ) {
    this.clock = clock;
    this.#hasOptedIn = hasOptedIn;
    const open = () =>
      memoryFallback({
        streams: this.streams,
        timers: clock,
        faults: (call, shard) => this.shardFaults(call, shard),
      });
    this.bed = new ShardBed(sql, {
      clock,
      timers: clock,
      ...(backings && { backings }),
      fallbacks: { names: ["memory"], load: async () => ({ openFollower }), open },
      alarm: {
        set: (atMs) => {
          this.#cancelAlarm();
          if (atMs === undefined) return;
          const wake = (): void => void this.bed.shard.onAlarm();
          this.#cancelAlarm = clock.after(Math.max(0, atMs - clock.now()), wake);
        },
      },
    });
    Object.defineProperty(this.bed, "nowMs", { get: () => clock.now() });
    this.streams = new MemoryStreams(clock, bounds);
  }

  async create(options: Partial<SpaceOptionsData> = {}): Promise<this> {
    await this.bed.create({ ...(this.#hasOptedIn && { fallback: "memory" }), ...options });
    await this.clock.settle();
    return this;
  }

  /** What the shard has made of its stream. */
  async usage(): Promise<FallbackUsage> {
    const { fallback } = expectReply(await this.bed.shard.usage(this.bed.scope()));
    if (fallback === undefined) throw new Error("the shard follows no stream");
    return fallback;
  }

  /** A node that calls the shard as an isolate does, with its way around loaded. */
  async node(
    options: Partial<WarpOptions> = {},
    failover: Partial<FailoverOptions> & {
      readonly faults?: StreamFaults;
      readonly none?: true;
      readonly lazily?: true;
      readonly wrap?: (fallback: Fallback) => Fallback;
    } = {},
  ): Promise<FailoverNode> {
    const { clock } = this;
    const seed = ++this.#nodes;
    const { faults, none, lazily, wrap = (one) => one, ...more } = failover;
    const node = { reach: "up", delayMs: () => 0 } as { reach: Reach; delayMs: () => number };
    const background = {
      run: (work: Promise<unknown>) => void work.catch((error) => this.reported.push(error)),
    };
    const way = none
      ? undefined
      : new Failover({
          fallbacks: {
            memory: () =>
              wrap(memoryFallback({ streams: this.streams, timers: clock, ...(faults && { faults }) })),
          },
          space: "test",
          node: `node-${seed}`,
          random: seeded(seed),
          clock,
          timers: clock,
          background,
          ...more,
        });
    const api = this.#apiOf(node);
    const connection = { ...directConnection("test", () => api), ...(way && { around: way.around }) };
    const client = new SpaceClient({ connection, timers: clock });
    const adapter = shardAdapter(client);
    const warp = new Warp({
      adapter: way?.over(adapter) ?? adapter,
      locks: shardLocks({ client }),
      cache: memoryCache({}),
      clock,
      timers: clock,
      random: seeded(seed),
      background,
      ...options,
    });
    if (lazily !== true) await way?.load();
    const errors: unknown[] = [];
    warp.on("error", ({ error }) => errors.push(error));
    return Object.assign(node, { warp, failover: way, errors });
  }

  /** The shard as nodes call it when nothing is in their way. */
  api(): ShardApi {
    const { shard } = this.bed;
    return new Proxy<ShardApi>(shard, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return async (...args: readonly unknown[]) => {
          const [first, ...rest] = args;
          const { drain, ...scope } = (typeof first === "object" ? first : {}) as Partial<CallScope>;
          if (drain === undefined) return (await member.apply(target, args)) as object;
          if (this.drainRefusal !== undefined) return { refused: this.drainRefusal };
          return (await member.apply(target, [this.drains ? first : scope, ...rest])) as object;
        };
      },
    });
  }

  #apiOf(node: { readonly reach: Reach; readonly delayMs: () => number }): ShardApi {
    const api = this.api();
    const { clock } = this;
    const pass = async (delayMs: number): Promise<void> => {
      if (delayMs > 0) await new Promise<void>((resolve) => void clock.after(delayMs, resolve));
    };
    return new Proxy<ShardApi>(api, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return async (...args: readonly unknown[]) => {
          await pass(node.delayMs());
          const { reach } = node;
          if (reach === "down") throw new Error("Network connection lost");
          if (reach === "silent") return await new Promise(() => {});
          const reply: unknown = await member.apply(target, args);
          await pass(node.delayMs());
          if (reach === "lost after" || node.reach === "down") throw new Error("Network connection lost");
          if (node.reach === "silent") return await new Promise(() => {});
          return reply;
        };
      },
    });
  }
}
