import { memoryAdapter } from "../adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "../adapter/memory/memory-storage.ts";
import { nullAdapter } from "../adapter/null/null-adapter.ts";
import { memoryCache } from "../cache/memory/memory-cache.ts";
import { resolveStatics } from "../core/static-registrations.ts";
import type { WarpOptions } from "../core/types.ts";
import { Warp } from "../core/warp.ts";
import { MemoryLeaseSpace } from "../lease/memory/memory-lease-space.ts";
import { memoryLeases } from "../lease/memory/memory-leases.ts";
import { MemoryLockSpace } from "../lock/memory/memory-lock-space.ts";
import { memoryLocks } from "../lock/memory/memory-locks.ts";
import type { MergeFunctions } from "../merge/merge-function.ts";
import { memoryWatchBus } from "../watchbus/memory/memory-watch-bus.ts";

/** What {@link standalone} takes. */
export interface StandaloneOptions
  extends Pick<WarpOptions, "registrations" | "joinTimeoutMs" | "subject" | "bus" | "publishTimeoutMs"> {
  /** The host: `platform/node.ts` or `platform/workers.ts` have the parts, tests have virtual ones. */
  readonly host: Pick<WarpOptions, "clock" | "timers" | "random" | "background" | "elapsed">;
  /** Whether values are kept in memory behind L1, so that they outlive it. Default true; false: L1 is all there is. */
  readonly storage?: boolean;
  /** Merge rules of your own, by name; they want the storage. Default: the built-in ones only. */
  readonly merges?: MergeFunctions;
  /** Bounds of L1: see `memoryCache`. */
  readonly maxEntries?: number;
  readonly maxBytes?: number;
}

/**
 * A Warp in one process, with nothing behind it: for tests, tools and single servers. Its locks keep out whoever uses the same `Warp`, and no other process; leases and
 * watches want the storage.
 */
export function standalone(options: StandaloneOptions): Warp {
  const { host, storage = true, merges, registrations = [], maxEntries, maxBytes, ...rest } = options;
  const locks = new MemoryLockSpace(host);
  const leases = storage ? new MemoryLeaseSpace(host) : undefined;
  const kept = storage
    ? new MemoryStorage({
        ...host,
        statics: resolveStatics(registrations),
        ...(merges && { merges }),
        locks,
        ...(leases && { leases }),
      })
    : undefined;
  return new Warp({
    ...rest,
    registrations,
    ...host,
    adapter: kept === undefined ? nullAdapter(host) : memoryAdapter({ storage: kept }),
    ...(kept && { watches: memoryWatchBus({ ...host, log: kept.watching }) }),
    locks: memoryLocks({ space: locks }),
    ...(leases && { leases: memoryLeases({ space: leases }) }),
    cache: memoryCache({
      ...(maxEntries === undefined ? {} : { maxEntries }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
    }),
  });
}
