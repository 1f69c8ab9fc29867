import { describe, expect, it } from "vitest";
import { type Catalog, catalog, type Metric } from "../../src/metrics/catalog.ts";
import { expose } from "../../src/metrics/exposition.ts";
import { helps } from "../../src/metrics/helps.ts";
import { samplesOf } from "./samples.ts";

const small: Catalog = {
  demo_calls_total: { type: "counter", help: "Calls", labels: { way: ["in", "out"] } },
  demo_wait_seconds: {
    type: "histogram",
    help: "Waiting",
    unit: "seconds",
    labels: { way: ["in"] },
    buckets: [0.5, 1],
  },
  demo_size_bytes: { type: "gauge", help: "Size", unit: "bytes" },
};

const values = new Map([
  ["demo_calls_total|in", 3],
  ["demo_calls_total|other", 9_007_199_254_740_991],
  ["demo_wait_seconds|in|0", 2],
  ["demo_wait_seconds|in|2", 1],
  ["demo_wait_seconds|in|sum", 2_500_001],
]);

describe("exposition", () => {
  it("MT1 text 0.0.4", () => {
    expect(expose(small, values, "text")).toBe(
      [
        "# HELP demo_calls_total Calls.",
        "# TYPE demo_calls_total counter",
        'demo_calls_total{way="in"} 3',
        'demo_calls_total{way="other"} 9007199254740991',
        "# HELP demo_wait_seconds Waiting.",
        "# TYPE demo_wait_seconds histogram",
        'demo_wait_seconds_bucket{way="in",le="0.5"} 2',
        'demo_wait_seconds_bucket{way="in",le="1"} 2',
        'demo_wait_seconds_bucket{way="in",le="+Inf"} 3',
        'demo_wait_seconds_sum{way="in"} 2.500001',
        'demo_wait_seconds_count{way="in"} 3',
        "# HELP demo_size_bytes Size.",
        "# TYPE demo_size_bytes gauge",
        "demo_size_bytes 0",
        "",
      ].join("\n"),
    );
  });

  it("MT1 OpenMetrics 1.0: families without _total, units, float bounds, an end", () => {
    const text = expose(small, values, "openmetrics");
    expect(text).toContain("# TYPE demo_calls counter\n");
    expect(text).toContain('demo_calls_total{way="in"} 3\n');
    expect(text).toContain("# UNIT demo_wait_seconds seconds\n");
    expect(text).toContain('le="1.0"');
    expect(text).toContain('le="+Inf"');
    expect(text.endsWith("demo_size_bytes 0\n# EOF\n")).toBe(true);
    expect(samplesOf(text)).toBeDefined();
  });
});

describe("the catalog", () => {
  const metrics: [string, Metric][] = Object.entries(catalog);

  it.each(metrics)("MT2 %s is named as Prometheus wants it", (name, metric) => {
    expect(name).toMatch(/^warp_[a-z]+(_[a-z]+)*$/);
    expect(name.endsWith("_total")).toBe(metric.type === "counter");
    if (metric.unit !== undefined) expect(name.endsWith(`_${metric.unit}`)).toBe(true);
    expect((helps as Readonly<Record<string, string>>)[name]).toMatch(/^[A-Z][^\\\n]*[^.]$/);
    if (metric.type === "histogram") {
      expect(metric.buckets).toEqual([...new Set(metric.buckets)].sort((a, b) => a - b));
    }
  });

  it("MT2 MT-01 go-warp's names are there for all that is counted here too", () => {
    const names = [
      ...["warp_get_total", "warp_set_total", "warp_invalidate_total"],
      ...["warp_core_hits_total", "warp_core_misses_total", "warp_core_evictions_total"],
      ...["warp_cache_hits_total", "warp_cache_misses_total", "warp_cache_evictions_total"],
      ...["warp_adaptive_ttl_adjustments_total", "warp_adaptive_hot_keys"],
    ];
    expect(Object.keys(catalog)).toEqual(expect.arrayContaining(names));
  });
});
