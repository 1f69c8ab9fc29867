import type { WatchTarget } from "../protocol/watch.ts";
import type { Core } from "./core.ts";
import { readingOf } from "./readings.ts";
import type { WarpOptions } from "./types.ts";
import { WarpLocks } from "./warp-locks.ts";
import type { WatchHandle } from "./watch.ts";
import type { WatchCall } from "./watch-types.ts";
import { Watches } from "./watches.ts";

/** What a node watches. */
export class WarpWatches extends WarpLocks {
  readonly #watches: Watches;

  constructor(core: Core, options: WarpOptions) {
    super(core, options);
    this.#watches = new Watches(core.parts, () => this.publications.driver);
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
}
