import { WarpError } from "../../errors.ts";
import {
  defaultUpstashBusEntries,
  maxUpstashBusEntries,
  minUpstashBusEntries,
} from "../../runtime/upstash-limits.ts";
import { resolvePolling, type UpstashPollingOptions } from "../../upstash/polling-options.ts";
import type { UpstashOptions } from "../../upstash/upstash-options.ts";
import { UpstashRedis } from "../../upstash/upstash-redis.ts";
import type { BusHost } from "../bus-end.ts";

/** What {@link upstashBus} takes. */
export type UpstashBusOptions = (
  | UpstashOptions
  /** One database for several spaces or drivers. It is not closed with the bus. */
  | { readonly redis: UpstashRedis }
) &
  BusHost &
  UpstashPollingOptions & {
    /** 1 to 64 of `a-z 0-9 . _ -`. The stream is `warp:{space}:bus`. */
    readonly space: string;
    /** Unique among the nodes of the bus; default random. */
    readonly node?: string;
    /** Entries that the stream keeps, about: 100 to 1,000,000, default 10,000. A node that is further behind is told that everything may have changed. */
    readonly maxEntries?: number;
    /** Where an earlier end of this node had come to (`UpstashBus.cursor`): what was told since is heard. Default: what is told from the first subscription on. */
    readonly cursor?: string;
  };

/** {@link UpstashBusOptions} with every default in its place. */
export interface ResolvedUpstashBus extends BusHost {
  readonly redis: UpstashRedis;
  /** Whether the database is closed with the bus. */
  readonly isOwn: boolean;
  readonly space: string;
  readonly node: string | undefined;
  readonly maxEntries: number;
  readonly cursor: string | undefined;
  readonly polling: ReturnType<typeof resolvePolling>;
}

/** Throws `invalid_argument` naming the field. */
export function resolveUpstashBus(options: UpstashBusOptions): ResolvedUpstashBus {
  const { clock, timers, random, background, space, node, cursor } = options;
  const { maxEntries = defaultUpstashBusEntries } = options;
  const [min, max] = [minUpstashBusEntries, maxUpstashBusEntries];
  if (!(Number.isInteger(maxEntries) && maxEntries >= min && maxEntries <= max)) {
    throw new WarpError("invalid_argument", `maxEntries is a whole number from ${min} to ${max}`, {
      details: { field: "maxEntries", min, max },
    });
  }
  if (node !== undefined && !/^[\x21-\x7e]{1,128}$/.test(node)) {
    throw new WarpError("invalid_argument", "node has 1 to 128 visible ASCII characters", {
      details: { field: "node" },
    });
  }
  const polling = resolvePolling(options);
  const isOwn = !("redis" in options);
  const redis = "redis" in options ? options.redis : new UpstashRedis(options);
  return { clock, timers, random, background, space, node, cursor, maxEntries, polling, isOwn, redis };
}
