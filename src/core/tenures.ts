import type { Adapter } from "../adapter/adapter.ts";
import type { Cache } from "../cache/cache.ts";

/**
 * Under which permission L1 serves strong keys (rule ST1): a tenure, see `Pushes`. Copies are held only in a cache that drops them at once
 * and forgets them with the process; else an acknowledged invalidation might leave one behind.
 */
export class Tenures {
  readonly #pushes: Adapter["pushes"];

  constructor(adapter: Adapter, { supports }: Cache) {
    const drops = supports.peek && !supports.awaits && !supports.persistent;
    this.#pushes = drops ? adapter.pushes : undefined;
  }

  /** Whether this node may ever hold a copy of a strong key. */
  get mayHold(): boolean {
    return this.#pushes !== undefined;
  }

  /** Whether what is held under `tenure` of `shard` may be served now. Asked on each strong hit. */
  isLive(shard: number, tenure: number, nowMs: number): boolean {
    return this.#pushes !== undefined && nowMs < this.#pushes.servesUntilMs(shard, tenure);
  }
}
