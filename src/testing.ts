/**
 * Warp for your own tests: `testWarp()` gives a node in this process, with a clock that your test moves. Nothing is sent anywhere
 * and nothing waits for real time.
 */

import { memoryAdapter } from "./adapter/memory/memory-adapter.ts";
import { MemoryStorage } from "./adapter/memory/memory-storage.ts";
import { memoryCache } from "./cache/memory/memory-cache.ts";
import { resolveStatics } from "./core/static-registrations.ts";
import type { WarpOptions } from "./core/types.ts";
import { Warp } from "./core/warp.ts";
import { WarpError } from "./errors.ts";
import { MemoryLeaseSpace } from "./lease/memory/memory-lease-space.ts";
import { memoryLeases } from "./lease/memory/memory-leases.ts";
import { MemoryLockSpace } from "./lock/memory/memory-lock-space.ts";
import { memoryLocks } from "./lock/memory/memory-locks.ts";
import type { MergeFunctions } from "./merge/merge-function.ts";
import type { Clock, Timers } from "./runtime/clock.ts";
import type { Random } from "./runtime/random.ts";
import { memoryWatchBus } from "./watchbus/memory/memory-watch-bus.ts";

/** Time that stands still until a test moves it. Timers of Warp follow it. */
export interface TestClock extends Clock {
  /**
   * Moves time on by `ms` (0 or more), timer by timer, letting all that becomes due run. Throws `invalid_argument` for a step back.
   * Await it: what Warp does then takes a few turns of the event loop's microtasks.
   */
  advance(ms: number): Promise<void>;
}

/** What {@link testWarp} takes. */
export interface TestWarpOptions extends Pick<WarpOptions, "registrations" | "joinTimeoutMs" | "subject"> {
  /** Nodes over one storage, 1 to 64. Default 1. */
  readonly nodes?: number;
  /** Where the clock begins, Unix ms. Default 1,800,000,000,000 (January 2027). */
  readonly startMs?: number;
  /** Seed of all randomness: the same seed gives the same ids and jitter. Default 1. */
  readonly seed?: number;
  /** Whether keys without a registration are refused. Default false. */
  readonly strict?: boolean;
  /**
   * Whether nodes hear of each other's changes at once. Default false: then copies are as old as their policy allows, and a test meets what has to be
   * reckoned with.
   */
  readonly pushes?: boolean;
  /** Merge rules of your own, by name. Default: the built-in ones only. */
  readonly merges?: MergeFunctions;
}

/** What {@link testWarp} gives. */
export interface TestWarp extends AsyncDisposable {
  /** The first node. */
  readonly warp: Warp;
  /** All nodes, the first included. They share what is stored, locks and leases; each has a cache of its own. */
  readonly nodes: readonly Warp[];
  readonly clock: TestClock;
  /** What failed behind answers, on any node: a test may want it empty. */
  readonly errors: readonly unknown[];
  /** Ends all nodes. */
  close(): Promise<void>;
}

const maxNodes = 64;

/** A Warp in this process, or several over one storage. Throws `invalid_argument`, and what is wrong with `registrations`. */
export function testWarp(options: TestWarpOptions = {}): TestWarp {
  const {
    nodes: count = 1,
    startMs = 1_800_000_000_000,
    seed = 1,
    strict = false,
    pushes = false,
    merges = {},
    ...shared
  } = options;
  if (!Number.isInteger(count) || count < 1 || count > maxNodes) {
    throw new WarpError("invalid_argument", `nodes is a whole number from 1 to ${maxNodes}`, {
      details: { field: "nodes", min: 1, max: maxNodes },
    });
  }
  const clock = new ManualClock(startMs);
  const random = seededRandom(seed);
  const errors: unknown[] = [];
  const locks = new MemoryLockSpace({ clock, timers: clock, random });
  const leases = new MemoryLeaseSpace({ clock, timers: clock });
  const storage = new MemoryStorage({
    clock,
    random,
    strict,
    merges,
    locks,
    leases,
    statics: resolveStatics(shared.registrations ?? []),
  });
  const nodes = Array.from({ length: count }, () => {
    const warp = new Warp({
      ...shared,
      adapter: memoryAdapter({ storage, pushes }),
      locks: memoryLocks({ space: locks }),
      leases: memoryLeases({ space: leases }),
      watches: memoryWatchBus({ log: storage.watching, clock, timers: clock }),
      cache: memoryCache({}),
      clock,
      timers: clock,
      random,
      background: { run: (work) => void work.catch((error: unknown) => errors.push(error)) },
    });
    warp.on("error", ({ error }) => errors.push(error));
    return warp;
  });
  const [warp] = nodes;
  if (warp === undefined) throw new WarpError("internal", "no node was made");
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.close()));
  };
  return { warp, nodes, clock, errors, close, [Symbol.asyncDispose]: close };
}

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

class ManualClock implements TestClock, Timers {
  #nowMs: number;
  /** In order of setting, which decides between timers of one moment. */
  #waiting: Due[] = [];

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const due = { atMs: this.#nowMs + delayMs, run };
    this.#waiting.push(due);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== due);
    };
  }

  async advance(ms: number): Promise<void> {
    if (!(ms >= 0 && Number.isFinite(ms))) {
      throw new WarpError("invalid_argument", "advance takes 0 or more ms", {
        details: { field: "ms", min: 0 },
      });
    }
    const endMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#waiting = this.#waiting.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await settle();
    }
    this.#nowMs = endMs;
    await settle();
  }

  #next(endMs: number): Due | undefined {
    let first: Due | undefined;
    for (const due of this.#waiting) {
      if (due.atMs <= endMs && (first === undefined || due.atMs < first.atMs)) first = due;
    }
    return first;
  }
}

/** Turns enough for any chain of promises of one step. */
const turns = 100;

async function settle(): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

/** Mulberry32: for ids and jitter of tests, never for secrets. */
function seededRandom(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return { bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff) };
}
