import type { AdapterSupports, Pushes } from "../../src/adapter/adapter.ts";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "../../src/adapter/memory/memory-storage.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import type { RegistrationOptions, WarpOptions } from "../../src/core/types.ts";
import { Warp } from "../../src/core/warp.ts";
import type { HeldLocks } from "../../src/protocol/fence.ts";
import { ScriptedAdapter } from "./scripted-adapter.ts";
import { seeded } from "./seeded.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A node of a bed: a Warp and the scripted way to its storage. */
export interface BedNode {
  readonly warp: Warp;
  readonly adapter: ScriptedAdapter;
  /** Errors of the `error` event. */
  readonly errors: unknown[];
}

/** One storage with any number of nodes over it, in virtual time. */
export interface CoreBed {
  readonly clock: VirtualClock;
  readonly storage: MemoryStorage;
  node(
    options?: Partial<WarpOptions> & {
      readonly supports?: Partial<AdapterSupports>;
      readonly pushes?: Pushes;
      /** Another way to the storage than straight to it. */
      readonly through?: ScriptedAdapter;
    },
  ): BedNode;
  /** A storage with another epoch, to take the place of the first. */
  newStorage(): MemoryStorage;
  /** What background work failed with: must stay empty. */
  readonly leaks: unknown[];
}

export function coreBed(
  options: {
    readonly strict?: boolean;
    readonly logMaxEntries?: number;
    readonly seed?: number;
    readonly locks?: HeldLocks;
  } = {},
): CoreBed {
  const clock = virtualClock();
  const random = seeded(options.seed ?? 1);
  const leaks: unknown[] = [];
  const newStorage = (): MemoryStorage =>
    new MemoryStorage({
      clock,
      timers: clock,
      random,
      ...(options.locks === undefined ? {} : { locks: options.locks }),
      ...(options.strict === undefined ? {} : { strict: options.strict }),
      ...(options.logMaxEntries === undefined ? {} : { logMaxEntries: options.logMaxEntries }),
    });
  const storage = newStorage();
  return {
    clock,
    storage,
    leaks,
    newStorage,
    node({ supports, pushes, through, ...warpOptions } = {}) {
      const adapter = through ?? new ScriptedAdapter(memoryAdapter({ storage }), supports, pushes);
      const warp = new Warp({
        adapter,
        cache: memoryCache({}),
        clock,
        timers: clock,
        random,
        background: { run: (work) => void work.catch((error: unknown) => leaks.push(error)) },
        ...warpOptions,
      });
      const errors: unknown[] = [];
      warp.on("error", ({ error }) => errors.push(error));
      return { warp, adapter, errors };
    },
  };
}

/** Static registrations, shortly. */
export function statics(registrations: Readonly<Record<string, RegistrationOptions>>) {
  return Object.entries(registrations).map(([pattern, options]) => ({ pattern, options }));
}

/** The code of the error that `work` ends with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return "no error";
}
