import type { WatchTarget } from "../protocol/watch.ts";
import type { Core } from "./core.ts";
import { readingOf } from "./readings.ts";
import type { WarpOptions } from "./types.ts";
import { WarpLocks } from "./warp-locks.ts";
import type { WatchHandle } from "./watch.ts";
import type { PublishCall, Published, WatchCall } from "./watch-types.ts";
import { Watches } from "./watches.ts";

/** What a node watches and publishes. */
export class WarpWatches extends WarpLocks {
  readonly #watches: Watches;

  constructor(core: Core, options: Pick<WarpOptions, "locks" | "leases" | "renewLeases" | "watches">) {
    super(core, options);
    this.#watches = new Watches(core.parts, options.watches);
  }

  /** For scopes and figures. */
  protected get watches(): Watches {
    return this.#watches;
  }

  /**
   * Watches a key (`{ key }`) or all keys with a prefix (`{ prefix }`, the empty one: everything): each change in the order of the log, and what is published. See
   * {@link WatchHandle}; `docs/watchbus.md` tells what it promises. Throws `unsupported`; the loop throws `invalid_key`, `invalid_argument`, `invalid_cursor`, `space_not_found`, `forbidden`.
   */
  watch<T = unknown>(target: WatchTarget, options?: WatchCall<T>): WatchHandle<T> {
    return this.#watches.watch(target, readingOf(options), options);
  }

  /**
   * Tells a value, at most 64 KiB as bytes, to those who watch a key, or to whom a prefix concerns: those whose key or prefix begins with it, and those whose prefix begins it. Nothing is
   * stored. Throws `invalid_key`, `value_too_large`, `encode_failed`, `invalid_op_id`, `op_id_reused`.
   */
  async publish<T = unknown>(target: WatchTarget, value: T, options?: PublishCall<T>): Promise<Published> {
    return await this.#watches.publish(target, value, readingOf(options), options);
  }
}
