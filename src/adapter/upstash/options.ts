import { WarpError } from "../../errors.ts";
import type { Clock } from "../../runtime/clock.ts";
import { ceilingMaxValueBytes, defaultMaxValueBytes } from "../../runtime/limits.ts";
import type { Random } from "../../runtime/random.ts";
import {
  defaultUpstashLogEntries,
  maxUpstashLogEntries,
  minUpstashLogEntries,
} from "../../runtime/upstash-limits.ts";
import type { UpstashOptions } from "../../upstash/upstash-options.ts";
import { UpstashRedis } from "../../upstash/upstash-redis.ts";
import type { UpstashSpaceOptions } from "./upstash-space.ts";

/** What an Upstash adapter is made of. */
export type UpstashAdapterOptions = (
  | UpstashOptions
  /** One database for several spaces or drivers. It is not closed with the adapter. */
  | { readonly redis: UpstashRedis; readonly random: Random }
) & {
  /** 1 to 64 of `a-z 0-9 . _ -`. All keys in Redis begin with `warp:{space}:`. */
  readonly space: string;
  /** This node's: op ids are judged by it. */
  readonly clock: Clock;
  /** Whose time ends lives and dates changes: Redis's own (default), or this node's, for tests and where all nodes are one machine. */
  readonly time?: "server" | "node";
  /** Of a space that is new: keys without a registration are refused. Default false. */
  readonly strict?: boolean;
  /** Largest value: 1 to 1,900,000 bytes, default 1,048,576. */
  readonly maxValueBytes?: number;
  /** Log entries that are kept, at least: 1 to 1,000,000, default 20,000. Nodes that are further behind drop all their copies. */
  readonly logMaxEntries?: number;
};

/** {@link UpstashAdapterOptions} with every default in its place. */
export interface ResolvedUpstashAdapter extends UpstashSpaceOptions {
  readonly maxValueBytes: number;
  /** Whether the database is closed with the adapter. */
  readonly ownsRedis: boolean;
}

/** Throws `invalid_argument`, `invalid_space`. */
export function resolveOptions(options: UpstashAdapterOptions): ResolvedUpstashAdapter {
  const { space, clock, random, time = "server", strict = false } = options;
  const { maxValueBytes = defaultMaxValueBytes, logMaxEntries = defaultUpstashLogEntries } = options;
  checkRange("maxValueBytes", maxValueBytes, 1, ceilingMaxValueBytes);
  checkRange("logMaxEntries", logMaxEntries, minUpstashLogEntries, maxUpstashLogEntries);
  const ownsRedis = !("redis" in options);
  return {
    redis: "redis" in options ? options.redis : new UpstashRedis(options),
    ownsRedis,
    space,
    clock,
    random,
    strict,
    maxValueBytes,
    logMaxEntries,
    time: time === "node" ? clock : undefined,
  };
}

function checkRange(field: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new WarpError("invalid_argument", `${field} is a whole number from ${min} to ${max}`, {
    details: { field, min, max },
  });
}
