import { WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import type { Background } from "../../runtime/background.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import {
  defaultUpstashWatchEntries,
  maxUpstashBusEntries,
  minUpstashBusEntries,
} from "../../runtime/upstash-limits.ts";
import { resolvePolling, type UpstashPollingOptions } from "../../upstash/polling-options.ts";
import type { UpstashOptions } from "../../upstash/upstash-options.ts";
import { UpstashRedis } from "../../upstash/upstash-redis.ts";
import type { WatchTarget } from "../watchbus.ts";

/** Reads a page of the state that is watched: at most `limit` keys behind `after`, in order of their UTF-8 bytes. What it throws ends the watch. */
export type ReadState = (
  target: WatchTarget,
  after: string | undefined,
  limit: number,
) => Promise<{
  readonly items: readonly { readonly key: string; readonly version: number; readonly payload: Payload }[];
  readonly more: boolean;
}>;

/** What {@link upstashWatchBus} takes. */
export type UpstashWatchBusOptions = (
  | UpstashOptions
  /** One database for several spaces or drivers. It is not closed with the bus. */
  | { readonly redis: UpstashRedis }
) &
  UpstashPollingOptions & {
    readonly clock: Clock;
    readonly timers: Timers;
    readonly random: Random;
    readonly background: Background;
    /** 1 to 64 of `a-z 0-9 . _ -`. The stream is `warp:{space}:watch`. */
    readonly space: string;
    /** Entries that the stream keeps, about: 100 to 1,000,000, default 10,000. A watch that is further behind is told of a gap. */
    readonly maxEntries?: number;
    /** Reads the state. Default: none, then `snapshot` is `unsupported`, and after a gap a watch goes on with what follows. */
    readonly state?: ReadState;
    /** Is told of each failure that no caller sees: a look that failed, and is made again. Default: they go to nobody. */
    readonly onError?: (error: unknown) => void;
  };

/** {@link UpstashWatchBusOptions} with every default in its place. */
export interface ResolvedUpstashWatchBus {
  readonly redis: UpstashRedis;
  readonly isOwn: boolean;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly background: Background;
  readonly space: string;
  readonly maxEntries: number;
  readonly state: ReadState | undefined;
  readonly onError: (error: unknown) => void;
  readonly polling: ReturnType<typeof resolvePolling>;
}

/** Throws `invalid_argument` naming the field. */
export function resolveUpstashWatchBus(options: UpstashWatchBusOptions): ResolvedUpstashWatchBus {
  const { clock, timers, random, background, space, state, onError = () => {} } = options;
  const { maxEntries = defaultUpstashWatchEntries } = options;
  const [min, max] = [minUpstashBusEntries, maxUpstashBusEntries];
  if (!(Number.isInteger(maxEntries) && maxEntries >= min && maxEntries <= max)) {
    throw new WarpError("invalid_argument", `maxEntries is a whole number from ${min} to ${max}`, {
      details: { field: "maxEntries", min, max },
    });
  }
  const polling = resolvePolling(options);
  const isOwn = !("redis" in options);
  const redis = "redis" in options ? options.redis : new UpstashRedis(options);
  return { redis, isOwn, clock, timers, random, background, space, maxEntries, state, onError, polling };
}
