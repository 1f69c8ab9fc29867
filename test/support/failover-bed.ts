import { Failover } from "../../src/adapter/failover/failover.ts";
import type { FailoverOptions } from "../../src/adapter/failover/failover-options.ts";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import type { WarpOptions } from "../../src/core/types.ts";
import { Warp } from "../../src/core/warp.ts";
import type { ErrorData } from "../../src/errors.ts";
import type { Fallback, StreamPlace } from "../../src/fallback/fallback.ts";
import { memoryFallback } from "../../src/fallback/memory/memory-fallback.ts";
import { MemoryStreams } from "../../src/fallback/memory/memory-streams.ts";
import type { StreamFaults } from "../../src/fallback/memory/stream-faults.ts";
import { comparePlaces } from "../../src/fallback/place.ts";
import { shardLocks } from "../../src/lock/shard/shard-locks.ts";
import type {
  CallScope,
  MutateRequest,
  Mutation,
  ShardApi,
  SpaceReply,
  Verdict,
} from "../../src/protocol/shard-api.ts";
import { isRefusal } from "../../src/protocol/shard-api.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { directConnection } from "./direct-connection.ts";
import { seeded } from "./seeded.ts";
import { ShardBed } from "./shard-bed.ts";
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

/** One mutation that the shard has carried out, whoever brought it. */
export interface Carried {
  readonly opId: string;
  readonly key: string;
  readonly verdict: Verdict;
  readonly by: "node" | "stream";
}

/** A real shard whose space has opted in, its stream, and nodes that may be cut off from either. The shard's side of the stream is played here. */
export class FailoverBed {
  readonly clock: VirtualClock;
  readonly bed: ShardBed;
  readonly streams: MemoryStreams;
  readonly carried: Carried[] = [];
  readonly reported: unknown[] = [];
  applied: StreamPlace | undefined;
  /** How far the shard reads its stream when it is asked to: planted bugs change that. */
  drains = true;
  /** What it answers those who ask for that, where it can't. */
  drainRefusal: ErrorData | undefined;
  /** Told of each mutation that the shard has answered, in its order; `isNew`: it was carried out just now. */
  onMutation: (
    mutation: { readonly key: string; readonly value: number | undefined },
    isNew: boolean,
  ) => void = () => {};
  #applying: Promise<void> = Promise.resolve();
  #nodes = 0;
  readonly #hasOptedIn: boolean;

  constructor(
    sql: Sql,
    {
      hasOptedIn = true,
      clock = virtualClock(),
      bounds = {},
    }: {
      hasOptedIn?: boolean;
      clock?: VirtualClock;
      bounds?: ConstructorParameters<typeof MemoryStreams>[1];
    } = {},
  ) {
    this.clock = clock;
    this.#hasOptedIn = hasOptedIn;
    this.bed = new ShardBed(sql, { clock, timers: clock });
    Object.defineProperty(this.bed, "nowMs", { get: () => clock.now() });
    this.streams = new MemoryStreams(clock, bounds);
  }

  /** The space is there, and the nodes' fallback knows it. */
  async create(): Promise<this> {
    await this.bed.create();
    await this.announce();
    return this;
  }

  async announce(): Promise<void> {
    const space = await this.api().getSpace("test");
    const known = await this.bed.shard.getRegistrations(this.bed.scope());
    if (isRefusal(space) || isRefusal(known)) throw new Error("the space is not there");
    this.streams.announce({ space: space.space, registrations: known.registrations, list: known.list });
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

  /** The shard takes what waits in its stream, up to `until` at least. */
  apply(until?: StreamPlace): Promise<void> {
    this.#applying = this.#applying.then(() => this.#apply(until));
    return this.#applying;
  }

  async #apply(until: StreamPlace | undefined): Promise<void> {
    for (;;) {
      if (until !== undefined && this.applied !== undefined && comparePlaces(until, this.applied) <= 0)
        return;
      const { proposals } = this.streams.read(0, this.applied, 500);
      const last = proposals.at(-1)?.place;
      if (last === undefined) return;
      const reply = await this.bed.mutate(...proposals.map(({ mutation }) => mutation));
      this.#note(
        proposals.map(({ mutation }) => mutation),
        reply.verdicts,
        "stream",
      );
      this.applied = last;
      this.streams.trim(0, last);
    }
  }

  /** The shard as nodes call it when nothing is in their way. */
  api(): ShardApi {
    const { shard } = this.bed;
    const settings = this.#hasOptedIn ? { fallback: "memory" } : {};
    return new Proxy<ShardApi>(shard, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== "function") return member;
        return async (...args: readonly unknown[]) => {
          const drain = (args[0] as Partial<CallScope> | undefined)?.drain;
          if (drain !== undefined && this.drainRefusal !== undefined) return { refused: this.drainRefusal };
          if (drain !== undefined && this.drains) await this.apply(drain);
          const reply = (await member.apply(target, args)) as object;
          if (name === "mutate" && !isRefusal(reply))
            this.#note(
              (args[0] as MutateRequest).mutations,
              (reply as { verdicts: Verdict[] }).verdicts,
              "node",
            );
          if ((name === "getSpace" || name === "createSpace") && !isRefusal(reply)) {
            const { space } = reply as SpaceReply;
            return { ...reply, space: { ...space, ...settings } };
          }
          return reply;
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

  #note(mutations: readonly Mutation[], verdicts: readonly Verdict[], by: Carried["by"]): void {
    for (const [at, mutation] of mutations.entries()) {
      const verdict = verdicts[at];
      if (verdict === undefined || !("key" in mutation)) continue;
      const { opId, key } = mutation;
      this.carried.push({ opId, key, verdict, by });
      const number = mutation.kind === "set" ? Number(fromUtf8(mutation.payload.bytes)) : Number.NaN;
      const value = Number.isNaN(number) ? undefined : number;
      this.onMutation({ key, value }, verdict.outcome === "ok" && verdict.replayed !== true);
    }
  }
}
