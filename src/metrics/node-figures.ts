import type { Registry } from "./registry.ts";

/** What a node, or all nodes of a process together, have counted since they were made. The core's `WarpStats` has this shape. */
export interface NodeFigures {
  readonly hits: number;
  readonly misses: number;
  readonly stale: number;
  readonly refreshes: number;
  readonly ttlAdjustments: number;
  readonly hotKeys: number;
  readonly bypasses: number;
  readonly loads: number;
  readonly joins: number;
  readonly refusedFills: number;
  readonly catchUps: number;
  readonly drops: number;
  readonly errors: number;
  readonly cache: {
    readonly entries: number;
    readonly bytes: number;
    readonly hits: number;
    readonly misses: number;
    readonly evictions: number;
    readonly rejections: number;
    readonly errors?: number;
  };
}

/** Takes the figures of a process's nodes into `registry`. */
export function readNodes(registry: Registry, figures: NodeFigures): void {
  const { cache } = figures;
  registry.read("warp_get_total", figures.hits + figures.misses + figures.stale + figures.bypasses);
  registry.read("warp_core_hits_total", figures.hits);
  registry.read("warp_core_misses_total", figures.misses);
  registry.read("warp_core_stale_total", figures.stale);
  registry.read("warp_core_refreshes_total", figures.refreshes);
  registry.read("warp_adaptive_ttl_adjustments_total", figures.ttlAdjustments);
  registry.read("warp_core_bypasses_total", figures.bypasses);
  registry.read("warp_core_loads_total", figures.loads);
  registry.read("warp_core_coalesced_loads_total", figures.joins);
  registry.read("warp_core_refused_fills_total", figures.refusedFills);
  registry.read("warp_core_catch_ups_total", figures.catchUps);
  registry.read("warp_core_drops_total", figures.drops);
  registry.read("warp_core_errors_total", figures.errors);
  registry.read("warp_cache_hits_total", cache.hits);
  registry.read("warp_cache_misses_total", cache.misses);
  registry.read("warp_cache_evictions_total", cache.evictions);
  registry.read("warp_cache_rejections_total", cache.rejections);
  registry.read("warp_cache_errors_total", cache.errors ?? 0);
  registry.set("warp_adaptive_hot_keys", figures.hotKeys);
  registry.set("warp_cache_entries", cache.entries);
  registry.set("warp_cache_bytes", cache.bytes);
}
