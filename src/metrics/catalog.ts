/**
 * Every metric that exists: the one place where names and labels are said. `docs/metrics.md` lists exactly these. The names that go-warp
 * has too mean here what they mean there.
 */

/** Values that a label may take; any other counts as `other`. `"routes"`: the HTTP routes, which the host names. */
export type LabelValues = readonly string[] | "routes";

/** What stands on every metric. */
interface Described {
  /** A sentence without its full stop. Those of the catalog's own stand in `helps.ts`. */
  readonly help?: string;
  /** The name ends in it. */
  readonly unit?: "seconds" | "bytes";
  /** In the order in which they are written. */
  readonly labels?: Readonly<Record<string, LabelValues>>;
}

/** Grows only. Its name ends in `_total`. */
export interface CounterMetric extends Described {
  readonly type: "counter";
}

/** The sum of what the reporters that were heard of lately have now. */
export interface GaugeMetric extends Described {
  readonly type: "gauge";
}

/** A distribution. Observations are counted in whole millionths of the unit, so that their sum is exact. */
export interface HistogramMetric extends Described {
  readonly type: "histogram";
  /** Upper bounds, ascending, in the unit. `+Inf` is understood. */
  readonly buckets: readonly number[];
}

export type Metric = CounterMetric | GaugeMetric | HistogramMetric;

/** Metrics by name. */
export type Catalog = Readonly<Record<string, Metric>>;

const counter = (labels?: Described["labels"]): CounterMetric => ({
  type: "counter",
  ...(labels === undefined ? {} : { labels }),
});

const gauge = (rest: Described = {}): GaugeMetric => ({
  type: "gauge",
  ...rest,
});

const method = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"] as const;

export const catalog = {
  // go-warp's
  warp_get_total: counter(),
  warp_set_total: counter(),
  warp_invalidate_total: counter(),
  warp_core_hits_total: counter(),
  warp_core_misses_total: counter(),
  warp_core_evictions_total: counter(),
  warp_cache_hits_total: counter(),
  warp_cache_misses_total: counter(),
  warp_cache_evictions_total: counter(),
  warp_adaptive_ttl_adjustments_total: counter(),
  warp_adaptive_hot_keys: gauge(),
  // nodes
  warp_delete_total: counter(),
  warp_core_bypasses_total: counter(),
  warp_core_stale_total: counter(),
  warp_core_refreshes_total: counter(),
  warp_core_loads_total: counter(),
  warp_core_coalesced_loads_total: counter(),
  warp_core_refused_fills_total: counter(),
  warp_core_catch_ups_total: counter(),
  warp_core_drops_total: counter(),
  warp_core_errors_total: counter(),
  warp_cache_rejections_total: counter(),
  warp_cache_errors_total: counter(),
  warp_cache_entries: gauge(),
  warp_cache_bytes: gauge({ unit: "bytes" }),
  // HTTP
  warp_requests_total: counter({
    route: "routes",
    method,
    status: ["1xx", "2xx", "3xx", "4xx", "5xx"],
  }),
  warp_request_duration_seconds: {
    type: "histogram",
    unit: "seconds",
    labels: { route: "routes", method },
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  // shards
  warp_shard_commits_total: counter(),
  warp_shard_works_total: counter(),
  warp_shard_log_entries_total: counter(),
  // the meter itself
  warp_reporters: gauge({
    labels: { kind: ["isolate", "shard"] },
  }),
  warp_metrics_abandoned_total: counter(),
} as const satisfies Catalog;

type Names<Type extends Metric["type"]> = {
  [Name in keyof typeof catalog]: (typeof catalog)[Name]["type"] extends Type ? Name : never;
}[keyof typeof catalog];

export type CounterName = Names<"counter">;
export type GaugeName = Names<"gauge">;
export type HistogramName = Names<"histogram">;

/** How many counted units one unit of a histogram has. */
export const histogramScale = 1_000_000;
