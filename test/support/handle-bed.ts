import type { Locks } from "../../src/lock/lock.ts";
import { MemoryLockSpace } from "../../src/lock/memory/memory-lock-space.ts";
import { memoryLocks } from "../../src/lock/memory/memory-locks.ts";
import type { HandleHost } from "../../src/locking/handle-host.ts";
import { Holdings } from "../../src/locking/holdings.ts";
import { Lock } from "../../src/locking/lock-handle.ts";
import { type LockOptions, resolveLock } from "../../src/locking/lock-options.ts";
import { scopeOpId } from "../../src/protocol/shard-api.ts";
import type { Clock, Timers } from "../../src/runtime/clock.ts";
import { uuidv7 } from "../../src/runtime/ids.ts";
import { LockWay } from "./lock-way.ts";
import { seeded } from "./seeded.ts";
import { type VirtualClock, virtualClock } from "./virtual-clock.ts";

/** A node with handles, and its way to the authority. */
export interface HandleNode {
  readonly way: LockWay;
  readonly holdings: Holdings;
  /** What its driver would say without any way between. */
  readonly locks: Locks;
  /** Errors that no caller was told. */
  readonly errors: unknown[];
  readonly elapsed: Clock;
  lock(name: string, options?: LockOptions): Promise<Lock>;
}

/** Nodes over one authority in virtual time. */
export interface HandleBed {
  readonly clock: VirtualClock;
  readonly space: MemoryLockSpace;
  /** `rate`: how fast its clocks and timers run; 1 is true time. */
  node(options?: { readonly rate?: number }): HandleNode;
  /** An administrator ends what there is of a name. */
  force(name: string): Promise<void>;
}

export function handleBed(seed = 1): HandleBed {
  const clock = virtualClock();
  const random = seeded(seed);
  const space = new MemoryLockSpace({ clock, timers: clock, random });
  const opId = (): string => scopeOpId("node", uuidv7(clock, random));
  const admin = memoryLocks({ space });
  return {
    clock,
    space,
    async force(name) {
      await admin.run([{ kind: "force", opId: opId(), name, by: "admin" }]);
      await clock.settle();
    },
    node({ rate = 1 } = {}) {
      const { elapsed, timers } = atRate(clock, rate);
      const locks = memoryLocks({ space });
      const way = new LockWay(locks, clock);
      const errors: unknown[] = [];
      const host: HandleHost = {
        calls: way,
        elapsed,
        timers,
        random,
        background: { run: (work) => void work.catch((error: unknown) => errors.push(error)) },
        opId,
        onError: (error) => errors.push(error),
      };
      const holdings = new Holdings(host);
      return {
        way,
        holdings,
        locks,
        errors,
        elapsed,
        lock: async (name, options = {}) => new Lock(await holdings.acquire(name, resolveLock(options))),
      };
    },
  };
}

/** A host's clock and timers that run `rate` times as fast as `clock`. */
export function atRate(
  clock: VirtualClock,
  rate: number,
): { readonly elapsed: Clock; readonly timers: Timers } {
  const startMs = clock.now();
  return {
    elapsed: { now: () => startMs + (clock.now() - startMs) * rate },
    timers: { after: (delayMs, run) => clock.after(delayMs / rate, run) },
  };
}
