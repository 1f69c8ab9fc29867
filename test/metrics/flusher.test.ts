import { describe, expect, it } from "vitest";
import { WarpError } from "../../src/errors.ts";
import { Flusher } from "../../src/metrics/flusher.ts";
import { Registry } from "../../src/metrics/registry.ts";
import type { Report, ReportAnswer } from "../../src/metrics/report.ts";

const reporter = "0123456789abcdef0123456789abcdef";

function bed() {
  const clock = { nowMs: 1_000_000, now: () => clock.nowMs };
  const registry = new Registry({ reporter, kind: "isolate" });
  const sent: { readonly report: Report; readonly settle: PromiseWithResolvers<ReportAnswer> }[] = [];
  const failed: unknown[] = [];
  let elsewhere = 0;
  const flusher = new Flusher({
    registry,
    collect: () => registry.read("warp_core_loads_total", elsewhere),
    send: (report) => {
      const settle = Promise.withResolvers<ReportAnswer>();
      sent.push({ report, settle });
      return settle.promise;
    },
    clock,
    background: { run: (work) => void work.catch((error) => failed.push(error)) },
    intervalMs: 10_000,
  });
  const count = () => {
    elsewhere++;
    registry.add("warp_set_total");
    flusher.touch();
  };
  const answer = async (at: number, how: ReportAnswer | Error = { counted: "now" }) => {
    if (how instanceof Error) sent[at]?.settle.reject(how);
    else sent[at]?.settle.resolve(how);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  };
  return { clock, registry, flusher, sent, failed, count, answer };
}

describe("Flusher", () => {
  it("flushes behind the first event at once, then at most once an interval, with what was counted elsewhere", async () => {
    const { clock, sent, count, answer } = bed();
    count();
    expect(sent.map(({ report }) => report)).toMatchObject([
      {
        seq: 1,
        counters: [
          ["warp_set_total", 1],
          ["warp_core_loads_total", 1],
        ],
      },
    ]);
    await answer(0);
    clock.nowMs += 9_999;
    count();
    expect(sent).toHaveLength(1);
    clock.nowMs += 1;
    count();
    expect(sent[1]?.report).toMatchObject({
      seq: 2,
      counters: [
        ["warp_set_total", 2],
        ["warp_core_loads_total", 2],
      ],
    });
  });

  it("MT1 sends a report again with the same seq when it failed, was refused or got no answer", async () => {
    const { clock, sent, failed, count, answer } = bed();
    count();
    await answer(0, new Error("the object is gone"));
    clock.nowMs += 10_000;
    count();
    await answer(1, { refused: new WarpError("overloaded", "too many").toData() });
    clock.nowMs += 10_000;
    count(); // this one's request is cut off: no answer ever
    clock.nowMs += 10_000;
    count();
    expect(sent.map(({ report }) => report)).toEqual(Array(4).fill(sent[0]?.report));
    expect(failed).toMatchObject([{ message: "the object is gone" }, { code: "overloaded" }]);
    await answer(3);
    expect(sent[4]?.report).toMatchObject({ seq: 2 });
    expect(sent[4]?.report.counters).toContainEqual(["warp_set_total", 3]);
  });

  it("a flush that is asked for brings all that was counted, beside one that is under way", async () => {
    const { registry, flusher, sent, count, answer } = bed();
    count();
    registry.add("warp_delete_total");
    const flushed = flusher.flush();
    expect(sent.map(({ report }) => report.seq)).toEqual([1, 1]);
    await answer(1);
    expect(sent[2]?.report).toMatchObject({ seq: 2, counters: [["warp_delete_total", 1]] });
    await answer(2);
    await flushed;
    await answer(0);
    expect(registry.outstanding).toBeUndefined();
  });

  it("an event at a clock that was set back still flushes", async () => {
    const { clock, sent, count, answer } = bed();
    count();
    await answer(0);
    clock.nowMs -= 500_000;
    count();
    expect(sent).toHaveLength(2);
  });

  it("with nothing counted nothing is sent", async () => {
    const { flusher, sent } = bed();
    flusher.touch();
    await flusher.flush();
    expect(sent).toEqual([]);
  });
});
