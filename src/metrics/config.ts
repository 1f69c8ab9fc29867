import { WarpError } from "../errors.ts";
import { defaultMetricsIntervalMs, maxMetricsIntervalMs, minMetricsIntervalMs } from "../runtime/limits.ts";

/** The one meter of a deployment, by the name of its object. */
export const meterName = "meter/0";

/** The variable that isolates, shards and the meter read. */
export interface MetricsEnvironment {
  readonly WARP_METRICS_INTERVAL_MS?: string | undefined;
}

/**
 * How often an isolate or a shard reports at most, in ms: `WARP_METRICS_INTERVAL_MS`, 100 to 300,000; default 10,000. Throws
 * `invalid_argument` that names the setting.
 */
export function parseMetricsInterval(text: string | undefined): number {
  if (text === undefined || text === "") return defaultMetricsIntervalMs;
  const value = /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minMetricsIntervalMs && value <= maxMetricsIntervalMs) return value;
  throw new WarpError(
    "invalid_argument",
    `WARP_METRICS_INTERVAL_MS must be a whole number, ${minMetricsIntervalMs} to ${maxMetricsIntervalMs}`,
    { details: { setting: "WARP_METRICS_INTERVAL_MS" } },
  );
}
