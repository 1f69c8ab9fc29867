import { Attempt } from "../../connection/attempt.ts";
import type { SpaceClient } from "../../connection/space-client.ts";
import { publishSpace } from "../../connection/space-publications.ts";
import { WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import type { Position } from "../../protocol/position.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { Timers } from "../../runtime/clock.ts";
import { checkWatch } from "../options.ts";
import type {
  PublicationOptions,
  Watch,
  WatchBus,
  WatchBusSupports,
  WatchOptions,
  WatchTarget,
} from "../watchbus.ts";
import { Watched } from "../watched.ts";
import { ShardWatch } from "./shard-watch.ts";
import { startsOf } from "./starts.ts";

/** A {@link WatchBus} whose watches tell when they have come to the present. `timeoutMs` bounds how long one may take to begin. */
export interface ShardWatchBus extends WatchBus {
  watch(
    target: WatchTarget,
    options?: WatchOptions & Pick<CallLimits, "timeoutMs">,
  ): Promise<Watch & Pick<ShardWatch, "current">>;
}

/** What a {@link shardWatchBus} is made of. */
export interface ShardWatchBusOptions {
  /** Lent: it stays open. */
  readonly client: SpaceClient;
  readonly timers: Timers;
}

/**
 * The shards' own watches. They want a connection that stays open; where there is none (in a Worker) publications alone are supported. A prefix is watched in every shard of the
 * space, and the order of events is that of each shard.
 */
export function shardWatchBus(options: ShardWatchBusOptions): ShardWatchBus {
  return new Shards(options);
}

class Shards implements ShardWatchBus {
  readonly supports: WatchBusSupports;
  readonly #client: SpaceClient;
  readonly #timers: Timers;
  readonly #watches = new Set<ShardWatch>();
  readonly #watched = new Watched();
  #closed = false;

  constructor({ client, timers }: ShardWatchBusOptions) {
    this.#client = client;
    this.#timers = timers;
    const watches = client.watching !== undefined;
    this.supports = Object.freeze({
      resume: watches,
      snapshot: watches,
      publish: true,
      remote: true,
      presence: watches,
    });
  }

  get watched(): ReadonlyMap<string, number> {
    return this.#watched.names;
  }

  async watch(...[target, options = {}]: Parameters<ShardWatchBus["watch"]>): Promise<ShardWatch> {
    this.#checkOpen();
    const filter = checkWatch(target, options);
    const { watching } = this.#client;
    if (watching === undefined) {
      throw new WarpError("unsupported", "nothing can be watched over a connection that does not stay open");
    }
    const { signal, timeoutMs, from = "now", presence } = options;
    const limits = {
      ...(signal === undefined ? {} : { signal }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    };
    const { shards } = await this.#client.run("read", limits, async (calls) => calls.space);
    this.#checkOpen();
    const starts = startsOf(target, from, shards);
    const onAbort = (): void => watch.end();
    const watch: ShardWatch = new ShardWatch({
      watching,
      filter,
      starts,
      presence,
      ended: () => {
        signal?.removeEventListener("abort", onAbort);
        this.#watches.delete(watch);
        unwatched();
      },
    });
    this.#watches.add(watch);
    const unwatched = this.#watched.add(target);
    try {
      await Attempt.run(this.#timers, limits, () => watch.opened);
    } catch (error) {
      watch.end();
      throw error;
    }
    signal?.addEventListener("abort", onAbort, { once: true });
    return watch;
  }

  async publish(
    target: WatchTarget,
    payload: Payload,
    options: PublicationOptions,
  ): Promise<readonly Position[]> {
    this.#checkOpen();
    checkCallLimits(options);
    const { opId, retained = false, ...limits } = options;
    const placed = await publishSpace(this.#client, { target, payload, opId, retained }, limits);
    const positions = placed.map(({ answer, asOf }) => {
      if (answer.outcome === "fail") throw WarpError.fromData(answer.error);
      return { ...asOf, revision: answer.revision };
    });
    return retained ? positions : [];
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const watch of [...this.#watches]) watch.end();
  }

  #checkOpen(): void {
    if (this.#closed) throw new WarpError("warp_closed", "this watch bus is closed");
  }
}
