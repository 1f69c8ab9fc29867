import type { Adapter } from "../adapter/adapter.ts";
import type { Cache } from "../cache/cache.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";
import type { Emitter } from "./emitter.ts";
import type { Lifetime } from "./lifetime.ts";
import type { Moments } from "./moment.ts";

/** What all parts of one node share. */
export interface Parts {
  readonly adapter: Adapter;
  readonly cache: Cache;
  readonly clock: Clock;
  /** Measures elapsed time: never goes back. */
  readonly elapsed: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly background: Background;
  readonly moments: Moments;
  readonly emitter: Emitter;
  readonly lifetime: Lifetime;
  readonly counters: Counters;
  readonly joinTimeoutMs: number;
  readonly subject: string;
}

/** What a node counts; see `WarpStats`. */
export interface Counters {
  hits: number;
  misses: number;
  stale: number;
  refreshes: number;
  bypasses: number;
  loads: number;
  joins: number;
  refusedFills: number;
  catchUps: number;
  drops: number;
  errors: number;
  secondTierHits: number;
  secondTierErrors: number;
  published: number;
  publishErrors: number;
  busEvents: number;
  provisional: number;
}

export function newCounters(): Counters {
  return {
    hits: 0,
    misses: 0,
    stale: 0,
    refreshes: 0,
    bypasses: 0,
    loads: 0,
    joins: 0,
    refusedFills: 0,
    catchUps: 0,
    drops: 0,
    errors: 0,
    secondTierHits: 0,
    secondTierErrors: 0,
    published: 0,
    publishErrors: 0,
    busEvents: 0,
    provisional: 0,
  };
}
