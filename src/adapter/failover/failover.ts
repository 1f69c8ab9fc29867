import { WarpError } from "../../errors.ts";
import type { AroundCalls } from "../../protocol/around-calls.ts";
import type { SpaceSettings } from "../../protocol/space.ts";
import { awayPatienceMs } from "../../runtime/failover-limits.ts";
import type { Adapter } from "../adapter.ts";
import { FailoverAdapter, type WayAround } from "./failover-adapter.ts";
import type { FailoverOptions } from "./failover-options.ts";
import { isUnreached } from "./is-unreached.ts";
import type { Begun, Way } from "./way.ts";

const isLate = Symbol("late");
/** The shard that knows the space and its registrations. */
const homeShard = 0;

/**
 * What a node has in place of the way around its shards until one of them can't be reached, or the space turns out to have opted in: then the way itself is loaded. `around` is for the
 * connection to the shards, `over` makes the adapter.
 */
export class Failover implements WayAround {
  readonly around: AroundCalls;
  readonly #options: FailoverOptions;
  #inner: Adapter | undefined;
  #met: SpaceSettings | undefined;
  #list: Awaited<ReturnType<Adapter["registrations"]>> | undefined;
  #way: Way | undefined;

  constructor(options: FailoverOptions) {
    this.#options = options;
    this.around = {
      met: (space) => {
        this.#met = space;
        if (this.#way !== undefined) this.#way.met(space);
        else if (space?.fallback !== undefined) options.background.run(this.load());
      },
      call: (shard, send, isUnreachedBy) => this.#way?.call(shard, send, isUnreachedBy) ?? send(),
      drain: (shard) => this.#way?.drain(shard),
      drained: (shard, place) => this.#way?.drained(shard, place),
    };
  }

  /** The way, once it is loaded. */
  get way(): Way | undefined {
    return this.#way;
  }

  /** An adapter whose shards may be gone around. `inner` asks over a connection that has {@link around}. */
  over(inner: Adapter): Adapter {
    this.#inner = inner;
    return new FailoverAdapter(inner, this);
  }

  /** The registrations as the shards gave them. */
  learn(list: Awaited<ReturnType<Adapter["registrations"]>>): void {
    this.#list = list;
    this.#way?.view.learn(list);
  }

  /** Each call loads by itself: in a Worker none may wait for another request's. */
  async load(): Promise<Way> {
    if (this.#way !== undefined) return this.#way;
    const { Way } = await import("./way.ts");
    if (this.#inner === undefined) throw new WarpError("internal", "a failover without an adapter");
    if (this.#way === undefined) {
      this.#way = new Way(this.#inner, this.#options, this.#met);
      if (this.#list !== undefined) this.#way.view.learn(this.#list);
    }
    return this.#way;
  }

  async ask<T>(direct: () => Promise<T>, around: (way: Way, failed: WarpError) => Promise<T>): Promise<T> {
    const { timers, background, patienceMs } = this.#options;
    const asked = direct();
    let cancel = (): void => {};
    const late = new Promise<typeof isLate>((resolve) => {
      cancel = timers.after(patienceMs ?? awayPatienceMs, () => resolve(isLate), { awaited: true });
    });
    try {
      const first = await Promise.race([asked, late]);
      if (first !== isLate) return first;
    } catch (failed) {
      if (!isUnreached(failed)) throw failed;
      return await around(await this.load(), failed);
    } finally {
      cancel();
    }
    const way = await this.load();
    way.late(homeShard);
    // Whichever comes first; the shard's word where there is no other.
    const known = around(way, new WarpError("unavailable", "the home shard gives no answer")).catch(
      () => asked,
    );
    const first = Promise.race([known, asked.catch(() => known)]);
    background.run(first.catch(() => undefined));
    return await first;
  }

  /** Does something by the way where there is one, else at the shard, and by the way where that can't be reached. */
  async go<T>(direct: () => Promise<T>, around: (way: Way, begun: Begun) => Promise<T>): Promise<T> {
    const atMs = (this.#options.elapsed ?? this.#options.clock).now();
    if (this.#way !== undefined) return await around(this.#way, { atMs });
    try {
      return await direct();
    } catch (failed) {
      if (!isUnreached(failed)) throw failed;
      return await around(await this.load(), { atMs, failed });
    }
  }
}
