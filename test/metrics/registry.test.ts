import { describe, expect, it } from "vitest";
import { Registry } from "../../src/metrics/registry.ts";

const reporter = "0123456789abcdef0123456789abcdef";
const route = "/v1/{space}/keys/{key+}";
const make = () => new Registry({ reporter, kind: "isolate", routes: [route] });

describe("Registry", () => {
  it("MT1 repeats a report unchanged until it is acknowledged, and keeps what is counted meanwhile for the next", () => {
    const registry = make();
    expect(registry.take(0)).toBeUndefined();
    registry.add("warp_set_total", 3);
    const first = registry.take(0);
    expect(first).toMatchObject({ reporter, seq: 1, counters: [["warp_set_total", 3]] });
    registry.add("warp_set_total", 4);
    expect(registry.take(1)).toBe(first);
    registry.acknowledge(7);
    expect(registry.outstanding).toBe(first);
    registry.acknowledge(1);
    expect(registry.outstanding).toBeUndefined();
    expect(registry.take(2)).toMatchObject({ seq: 2, counters: [["warp_set_total", 4]] });
  });

  it("MT1 gives a report up after half a day, long before the meter may have forgotten that it counted it", () => {
    const registry = make();
    registry.add("warp_set_total");
    registry.take(0);
    registry.add("warp_delete_total");
    expect(registry.take(43_200_000)).toMatchObject({ seq: 1 });
    expect(registry.take(43_200_001)).toMatchObject({
      seq: 2,
      counters: [
        ["warp_delete_total", 1],
        ["warp_metrics_abandoned_total", 1],
      ],
    });
  });

  it("counts what a counter kept elsewhere has grown by, also after it began anew", () => {
    const registry = make();
    registry.readFrom("warp_core_loads_total", 10);
    for (const value of [10, 12, 12, 15, 2]) registry.read("warp_core_loads_total", value);
    expect(registry.take(0)?.counters).toEqual([["warp_core_loads_total", 7]]);
  });

  it("a label's value that is not on its list counts as other", () => {
    const registry = make();
    registry.add("warp_requests_total", 1, { route, method: "GET", status: "2xx" });
    registry.add("warp_requests_total", 1, { route: "/v1/a|b", method: "BREW", status: "9xx" });
    registry.add("warp_requests_total", 1, { route: "/elsewhere" });
    expect(registry.take(0)?.counters).toEqual([
      [`warp_requests_total|${route}|GET|2xx`, 1],
      ["warp_requests_total|other|other|other", 2],
    ]);
  });

  it("sorts observations into buckets whose bounds are included, and sums them exactly", () => {
    const registry = make();
    for (const value of [0, 0.001, 0.0011, 10, 11]) {
      registry.observe("warp_request_duration_seconds", value, { route, method: "GET" });
    }
    const id = `warp_request_duration_seconds|${route}|GET`;
    expect(Object.fromEntries(registry.take(0)?.counters ?? [])).toEqual({
      [`${id}|0`]: 2,
      [`${id}|1`]: 1,
      [`${id}|12`]: 1,
      [`${id}|13`]: 1,
      [`${id}|sum`]: 21_002_100,
    });
  });

  it("a route that could not stand in a label is refused", () => {
    expect(() => new Registry({ reporter, kind: "isolate", routes: ['/"'] })).toThrow(/can't be a label/);
    expect(() => new Registry({ reporter, kind: "isolate", routes: ["/a|b"] })).toThrow(/can't be a label/);
  });
});
