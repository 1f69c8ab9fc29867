import { describe, expect, it } from "vitest";
import { host } from "#host";
import { memoryAdapter } from "../../src/adapter/memory/memory-adapter.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";
import { Warp } from "../../src/core/warp.ts";
import { IsolateMetrics } from "../../src/metrics/isolate-metrics.ts";
import { Meter } from "../../src/metrics/meter.ts";
import type { MeterApi } from "../../src/metrics/report.ts";
import { Spaces } from "../../src/presets/spaces.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { seeded } from "../support/seeded.ts";
import { virtualClock } from "../support/virtual-clock.ts";
import { samplesOf } from "./samples.ts";

/** Isolates with real nodes over one storage for each space, and one meter. */
function bed(sql: Sql, options: { maxSpaces?: number } = {}) {
  const clock = virtualClock();
  const random = seeded(7);
  const background = { run: (work: Promise<unknown>) => void work };
  const meter = new Meter({ sql, clock, intervalMs: 10_000 });
  const stub: MeterApi = {
    report: async (report) => meter.report(structuredClone(report)),
    scrape: async (format) => meter.scrape(format),
  };
  const adapters = new Map<string, ReturnType<typeof memoryAdapter>>();
  const errors: unknown[] = [];
  let isolates = 0;
  const isolate = (through: MeterApi = stub) => {
    const spaces: Spaces<Warp> = new Spaces({
      maxSpaces: options.maxSpaces ?? 8,
      maxBytes: 1_000_000,
      make: (space) => {
        const adapter = adapters.get(space) ?? memoryAdapter({ clock, random, pushes: false });
        adapters.set(space, adapter);
        const warp = new Warp({
          ...{ adapter, clock, random, background },
          timers: clock,
          cache: memoryCache({}),
          sharedAdapter: true,
        });
        metrics.listen(warp);
        return warp;
      },
    });
    const metrics: IsolateMetrics = new IsolateMetrics({
      reporter: (++isolates).toString(16).padStart(32, "0"),
      routes: ["/known"],
      meter: () => through,
      figures: () => spaces.stats(),
      ...{ clock, background },
      intervalMs: 10_000,
      onError: (error) => void errors.push(error),
    });
    const read = async () => samplesOf(await metrics.scrape("text"));
    return { spaces, metrics, read };
  };
  return { clock, isolate, errors, stub };
}

describe("an isolate's metrics", () => {
  it("MT2 count what their names say, summed over isolates and spaces", async () => {
    await host.withSql(async (sql) => {
      const { isolate } = bed(sql);
      const [one, other] = [isolate(), isolate()];
      const here = one.spaces.warp("a");
      const there = other.spaces.warp("b");
      await here.set("k", 1);
      await here.set("l", 2);
      await there.set("k", 3);
      for (let i = 0; i < 5; i++) await here.get("k"); // 5 hits of the written copy
      await there.get("absent"); // a miss
      await there.delete("k");
      await here.invalidate({ keys: ["l"] });
      await here.invalidate({ prefix: "" });
      await here.get("l"); // a miss
      await other.metrics.scrape("text");
      const samples = await one.read();
      const want = {
        warp_get_total: 7,
        warp_set_total: 3,
        warp_delete_total: 1,
        warp_invalidate_total: 2,
        warp_core_hits_total: 5,
        warp_core_misses_total: 2,
        warp_core_evictions_total: 2,
        warp_core_loads_total: 2,
        warp_cache_entries: 1,
        'warp_reporters{kind="isolate"}': 2,
      };
      expect(Object.fromEntries(Object.keys(want).map((name) => [name, samples.get(name)]))).toEqual(want);
    });
  });

  it("MT1 what nodes counted stays when their space is forgotten", async () => {
    await host.withSql(async (sql) => {
      const { isolate } = bed(sql, { maxSpaces: 1 });
      const { spaces, read } = isolate();
      for (const space of ["a", "b", "c"]) await spaces.warp(space).get("absent");
      expect((await read()).get("warp_core_misses_total")).toBe(3);
      await spaces.warp("a").get("absent");
      expect((await read()).get("warp_core_misses_total")).toBe(4);
      expect(spaces.size).toBe(1);
    });
  });

  it("requests are counted by route, method and class of status, with what they took", async () => {
    await host.withSql(async (sql) => {
      const { isolate } = bed(sql);
      const { metrics, read } = isolate();
      metrics.observe({ route: "/known", method: "GET", status: 204, durationMs: 3 });
      metrics.observe({ route: "/known", method: "GET", status: 200, durationMs: -1 });
      metrics.observe({ route: "", method: "PROPFIND", status: 404, durationMs: 0 });
      const samples = await read();
      expect(samples.get('warp_requests_total{route="/known",method="GET",status="2xx"}')).toBe(2);
      expect(samples.get('warp_requests_total{route="other",method="other",status="4xx"}')).toBe(1);
      const wait = 'route="/known",method="GET"';
      expect(samples.get(`warp_request_duration_seconds_bucket{${wait},le="0.001"}`)).toBe(1);
      expect(samples.get(`warp_request_duration_seconds_bucket{${wait},le="0.005"}`)).toBe(2);
      expect(samples.get(`warp_request_duration_seconds_sum{${wait}}`)).toBe(0.003);
    });
  });

  it("a scrape without the meter is unavailable, and loses nothing", async () => {
    await host.withSql(async (sql) => {
      let gone = true;
      const { isolate, errors, stub } = bed(sql);
      const { metrics, spaces, read } = isolate({
        report: async (report) => (gone ? Promise.reject(new Error("gone")) : await stub.report(report)),
        scrape: async (format) => (gone ? Promise.reject(new Error("gone")) : await stub.scrape(format)),
      });
      await spaces.warp("a").set("k", 1);
      await expect(metrics.scrape("text")).rejects.toMatchObject({ code: "unavailable", retryable: true });
      expect(errors).toMatchObject([{ message: "gone" }]);
      gone = false;
      expect((await read()).get("warp_set_total")).toBe(1);
    });
  });
});
