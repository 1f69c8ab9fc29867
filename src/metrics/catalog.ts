/**
 * Every metric that exists: the one place where names, labels and help are said. `docs/metrics.md` lists exactly these. The names that go-warp
 * has too mean here what they mean there.
 */

/** Values that a label may take; any other counts as `other`. `"routes"`: the HTTP routes, which the host names. */
export type LabelValues = readonly string[] | "routes";

/** What stands on every metric. */
interface Described {
  /** A sentence without its full stop. */
  readonly help: string;
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

const counter = (help: string, labels?: Described["labels"]): CounterMetric => ({
  type: "counter",
  help,
  ...(labels === undefined ? {} : { labels }),
});

const gauge = (help: string, rest: Omit<Described, "help"> = {}): GaugeMetric => ({
  type: "gauge",
  help,
  ...rest,
});

const method = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"] as const;

export const catalog = {
  // go-warp's
  warp_get_total: counter("Reads of keys"),
  warp_set_total: counter("Values written"),
  warp_invalidate_total: counter("Invalidations that callers asked for"),
  warp_core_hits_total: counter("Reads answered from L1"),
  warp_core_misses_total: counter("Reads that L1 could not answer"),
  warp_core_evictions_total: counter("Invalidations applied to L1, by a call at the node or by the log"),
  warp_cache_hits_total: counter("Look-ups in the cache that found a copy, fresh enough or not"),
  warp_cache_misses_total: counter("Look-ups in the cache that found none"),
  warp_cache_evictions_total: counter("Copies dropped to keep the cache within its bounds"),
  warp_adaptive_ttl_adjustments_total: counter("Times that demand changed the TTL of a key"),
  warp_adaptive_hot_keys: gauge("Keys that are hot by their sliding window"),
  // nodes
  warp_delete_total: counter("Deletes of keys"),
  warp_core_bypasses_total: counter("Reads of strong keys, which go to the authority"),
  warp_core_stale_total: counter("Reads answered with a stale copy, neither hits nor misses"),
  warp_core_refreshes_total: counter("Refreshes begun behind an answer"),
  warp_core_loads_total: counter("Keys asked of the storage behind L1"),
  warp_core_coalesced_loads_total: counter("Reads that shared another read's load"),
  warp_core_refused_fills_total: counter("Answers kept out of L1 because the key had changed meanwhile"),
  warp_core_catch_ups_total: counter("Exchanges with a shard's log"),
  warp_core_drops_total: counter("Times that a node dropped all its copies of a shard"),
  warp_core_errors_total: counter("Failures of a node's background work"),
  warp_cache_rejections_total: counter("Copies refused because one alone exceeds the cache"),
  warp_cache_errors_total: counter("Failures of a cache that were answered as a miss, or as nothing done"),
  warp_cache_entries: gauge("Copies in L1"),
  warp_cache_bytes: gauge("Bytes that the copies in L1 are charged with", { unit: "bytes" }),
  // HTTP
  warp_requests_total: counter("HTTP requests", {
    route: "routes",
    method,
    status: ["1xx", "2xx", "3xx", "4xx", "5xx"],
  }),
  warp_request_duration_seconds: {
    type: "histogram",
    help: "Time from an HTTP request to the head of its answer, waiting only: a Worker's clock stands still while it computes",
    unit: "seconds",
    labels: { route: "routes", method },
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  // shards
  warp_shard_commits_total: counter("Commits of shards"),
  warp_shard_works_total: counter("Calls that were committed; several share a commit"),
  warp_shard_log_entries_total: counter("Entries written to the logs of shards"),
  // the meter itself
  warp_reporters: gauge("Isolates and shard objects that were heard of lately", {
    labels: { kind: ["isolate", "shard"] },
  }),
  warp_metrics_abandoned_total: counter(
    "Reports given up because they could not be delivered for half a day",
  ),
} as const satisfies Catalog;

type Names<Type extends Metric["type"]> = {
  [Name in keyof typeof catalog]: (typeof catalog)[Name]["type"] extends Type ? Name : never;
}[keyof typeof catalog];

export type CounterName = Names<"counter">;
export type GaugeName = Names<"gauge">;
export type HistogramName = Names<"histogram">;

/** How many counted units one unit of a histogram has. */
export const histogramScale = 1_000_000;
