import { memoryAdapter } from "../adapter/memory/memory-adapter.ts";
import { nullAdapter } from "../adapter/null/null-adapter.ts";
import { memoryCache } from "../cache/memory/memory-cache.ts";
import { resolveStatics } from "../core/static-registrations.ts";
import type { WarpOptions } from "../core/types.ts";
import { Warp } from "../core/warp.ts";
import type { MergeFunctions } from "../merge/merge-function.ts";

/** What {@link standalone} takes. */
export interface StandaloneOptions
  extends Pick<WarpOptions, "registrations" | "joinTimeoutMs" | "subject" | "bus" | "publishTimeoutMs"> {
  /** The host: `platform/node.ts` or `platform/workers.ts` have the parts, tests have virtual ones. */
  readonly host: Pick<WarpOptions, "clock" | "timers" | "random" | "background">;
  /** Whether values are kept in memory behind L1, so that they outlive it. Default true; false: L1 is all there is. */
  readonly storage?: boolean;
  /** Merge rules of your own, by name; they want the storage. Default: the built-in ones only. */
  readonly merges?: MergeFunctions;
  /** Bounds of L1: see `memoryCache`. */
  readonly maxEntries?: number;
  readonly maxBytes?: number;
}

/** A Warp in one process, with nothing behind it: for tests, tools and single servers. */
export function standalone(options: StandaloneOptions): Warp {
  const { host, storage = true, merges, registrations = [], maxEntries, maxBytes, ...rest } = options;
  return new Warp({
    ...rest,
    registrations,
    ...host,
    adapter: storage
      ? memoryAdapter({ ...host, statics: resolveStatics(registrations), ...(merges && { merges }) })
      : nullAdapter(host),
    cache: memoryCache({
      ...(maxEntries === undefined ? {} : { maxEntries }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
    }),
  });
}
