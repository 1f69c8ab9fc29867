import type { Backing } from "../backing/backing.ts";
import type { Fallback } from "../fallback/fallback.ts";
import { workersClock, workersRandom, workersTimers } from "../platform/workers.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import type { Random } from "../runtime/random.ts";

/** What drivers take from the host they run on. */
export interface DriverHost {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** Drivers of a kind by their names, as a deployment gives them: each makes that of a space. */
export type DriverMakers<D> = Readonly<Record<string, (space: string, host: DriverHost) => D | Promise<D>>>;

/** What a deployment offers spaces beyond the shards. */
export interface Drivers {
  /** Storages behind shards. */
  readonly backings: DriverMakers<Backing>;
  /** Ways around shards that can't be reached. */
  readonly fallbacks: DriverMakers<Fallback>;
}

const host: DriverHost = { clock: workersClock, timers: workersTimers, random: workersRandom };

/** The drivers of this host. */
export function hosted<D>(
  makers: DriverMakers<D>,
): Readonly<Record<string, (space: string) => D | Promise<D>>> {
  return Object.fromEntries(
    Object.entries(makers).map(([name, make]) => [name, (space: string) => make(space, host)]),
  );
}
