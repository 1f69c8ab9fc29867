import type { Codec } from "../runtime/codec.ts";
import type { WatchOptions } from "../watchbus/watchbus.ts";
import type { WatchedItem } from "../watchbus/watched-item.ts";
import type { MutationOptions } from "./mutation-types.ts";

export type { WatchedItem } from "../watchbus/watched-item.ts";

/** Options of `warp.watch`. */
export interface WatchCall<T = unknown> extends WatchOptions {
  /** Default `jsonCodec`. */
  readonly codec?: Codec<T>;
  /**
   * Takes every item in place of a loop, one at a time: a promise that it gives is waited for. What it throws is an `error` event of the node, and the next item
   * comes.
   */
  readonly onEvent?: (item: WatchedItem<T>) => void | Promise<void>;
}

/** Options of `scope.watch`. */
export interface ScopeWatchCall<T> extends Omit<WatchCall<T>, "codec"> {
  /** One id of the scope; not together with `prefix`. */
  readonly id?: string;
  /** Ids that begin with it. Default: all. */
  readonly prefix?: string;
}

/** Options of `warp.publish`. */
export interface PublishCall<T = unknown> extends MutationOptions {
  readonly codec?: Codec<T>;
  /** Kept in the log, and told to those who resume later, too. Default false: it goes to who watches now. */
  readonly retained?: boolean;
}

export interface Published {
  readonly opId: string;
  /** Where it stands, `epoch.revision`, in each log that keeps it; empty where it is not retained. */
  readonly cursors: readonly string[];
}
