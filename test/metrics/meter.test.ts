import { describe, expect, it } from "vitest";
import { host } from "#host";
import { Meter } from "../../src/metrics/meter.ts";
import { Registry } from "../../src/metrics/registry.ts";
import type { Report } from "../../src/metrics/report.ts";
import type { Sql } from "../../src/runtime/sql.ts";
import { seeded } from "../support/seeded.ts";
import { samplesOf } from "./samples.ts";

const hour = 3_600_000;

function bed(sql: Sql, options: { maxReporters?: number } = {}) {
  const clock = { nowMs: 1_800_000_000_000, now: () => clock.nowMs };
  const open = () => new Meter({ sql, clock, intervalMs: 10_000, ...options });
  return { clock, open, meter: open() };
}

const name = (number: number) => number.toString(16).padStart(32, "0");

function report(changes: Partial<Report> = {}): Report {
  return {
    reporter: name(1),
    kind: "isolate",
    seq: 1,
    counters: [["warp_set_total", 1]],
    gauges: [],
    ...changes,
  };
}

const sets = (meter: Meter) => samplesOf(meter.scrape("text")).get("warp_set_total");

describe("Meter", () => {
  it("a scrape before the first report is all zeros and stores nothing", async () => {
    await host.withSql((sql) => {
      const { meter } = bed(sql);
      const samples = samplesOf(meter.scrape("text"));
      expect(samples.get("warp_core_hits_total")).toBe(0);
      expect(samples.get('warp_reporters{kind="isolate"}')).toBe(0);
      expect([...samples.values()].every((value) => value === 0)).toBe(true);
      expect(sql.all("SELECT 1 FROM sqlite_master WHERE name = 'totals'")).toEqual([]);
    });
  });

  it("MT1 a repeated report counts once, also after a restart and after later reports", async () => {
    await host.withSql((sql) => {
      const { meter, open } = bed(sql);
      expect(meter.report(report())).toEqual({ counted: "now" });
      expect(meter.report(report())).toEqual({ counted: "before" });
      expect(meter.report(report({ seq: 2 }))).toEqual({ counted: "now" });
      const again = open();
      expect(again.report(report({ seq: 1 }))).toEqual({ counted: "before" });
      expect(again.report(report({ seq: 2 }))).toEqual({ counted: "before" });
      expect(again.report(report({ reporter: name(2) }))).toEqual({ counted: "now" });
      expect(sets(again)).toBe(3);
    });
  });

  it("MT1 totals stay while gauges of a reporter end three intervals after it fell silent", async () => {
    await host.withSql((sql) => {
      const { meter, clock } = bed(sql);
      meter.report(report({ gauges: [["warp_cache_entries", 5]] }));
      clock.nowMs += 20_000;
      meter.report(report({ reporter: name(2), kind: "shard", gauges: [["warp_cache_entries", 7]] }));
      const read = () => {
        const samples = samplesOf(meter.scrape("text"));
        const reporters = (kind: string) => samples.get(`warp_reporters{kind="${kind}"}`);
        return [samples.get("warp_cache_entries"), reporters("isolate"), reporters("shard"), sets(meter)];
      };
      clock.nowMs += 10_000;
      expect(read()).toEqual([12, 1, 1, 2]);
      clock.nowMs += 1;
      expect(read()).toEqual([7, 0, 1, 2]);
      clock.nowMs += 20_000;
      expect(read()).toEqual([0, 0, 0, 2]);
    });
  });

  it("reporters silent for a day are forgotten; above the bound a new one is told to come back and loses nothing", async () => {
    await host.withSql((sql) => {
      const { meter, clock } = bed(sql, { maxReporters: 2 });
      meter.report(report());
      clock.nowMs += 23 * hour;
      meter.report(report({ reporter: name(2) }));
      const third = report({ reporter: name(3) });
      expect(meter.report(third)).toMatchObject({ refused: { code: "overloaded", retryable: true } });
      expect(meter.report(report({ reporter: name(2), seq: 2 }))).toEqual({ counted: "now" });
      expect(sets(meter)).toBe(3);
      clock.nowMs += hour + 1;
      expect(meter.report(third)).toEqual({ counted: "now" });
      expect(sets(meter)).toBe(4);
    });
  });

  it("a malformed report is refused and counts for nothing", async () => {
    await host.withSql((sql) => {
      const { meter } = bed(sql);
      const wrong: Partial<Report>[] = [
        { reporter: "me" },
        { seq: 0 },
        { seq: 1.5 },
        { kind: "other" as "shard" },
        { counters: [["warp_set_total", -1]] },
        { counters: [["warp_set_total", 0.5]] },
        { counters: [["warp_set_total", Number.NaN]] },
        { counters: [['warp_requests_total|"|GET|2xx', 1]] },
        { counters: [["", 1]] },
        {
          counters: [
            ["warp_set_total", 1],
            ["warp_set_total", 1],
          ],
        },
        { counters: Array.from({ length: 2_001 }, (_, i) => [`warp_x|${i}`, 1] as const) },
      ];
      for (const changes of wrong) {
        const answer = meter.report(report(changes));
        expect(answer, JSON.stringify(changes).slice(0, 100)).toMatchObject({
          refused: { code: "invalid_argument" },
        });
      }
      expect(sets(meter)).toBe(0);
      meter.report(report());
      expect(sets(meter)).toBe(1);
    });
  });

  it("a report beyond the bound of series is undone as a whole", async () => {
    await host.withSql((sql) => {
      const { meter } = bed(sql);
      for (let seq = 1; seq <= 3; seq++) {
        const many = Array.from({ length: 2_000 }, (_, i) => [`warp_old_total|${seq}-${i}`, 1] as const);
        const answer = meter.report(report({ seq, counters: many }));
        if (seq < 3) expect(answer).toEqual({ counted: "now" });
        else expect(answer).toMatchObject({ refused: { code: "overloaded" } });
      }
      expect(meter.report(report({ seq: 3 }))).toEqual({ counted: "now" });
      expect(sets(meter)).toBe(1);
    });
  });

  it("series of another Warp's catalog are kept and not shown", async () => {
    await host.withSql((sql) => {
      const { meter } = bed(sql);
      const counters = [
        ["warp_from_tomorrow_total", 1],
        ["warp_set_total|extra", 1],
        ["warp_set_total", 2],
      ] as const;
      expect(meter.report(report({ counters }))).toEqual({ counted: "now" });
      expect(meter.scrape("text")).not.toContain("tomorrow");
      expect(sets(meter)).toBe(2);
    });
  });

  it("a report writes two rows, whatever number of series it has", async () => {
    await host.withSql((sql) => {
      const writes: string[] = [];
      const counting: Sql = {
        all: (query, ...bindings) => sql.all(query, ...bindings),
        run: (query, ...bindings) => {
          if (query.startsWith("INSERT")) writes.push(query);
          sql.run(query, ...bindings);
        },
        transaction: (work) => sql.transaction(work),
      };
      const { meter } = bed(counting);
      meter.report(
        report({ counters: Array.from({ length: 500 }, (_, i) => [`warp_x_total|${i}`, 1] as const) }),
      );
      expect(writes).toHaveLength(2);
    });
  });

  it("after a write that failed the totals are those of the database", async () => {
    await host.withSql((sql) => {
      let broken = false;
      const failing: Sql = {
        all: (query, ...bindings) => sql.all(query, ...bindings),
        run: (query, ...bindings) => {
          if (broken && query.includes("INTO totals")) throw new Error("disk");
          sql.run(query, ...bindings);
        },
        transaction: (work) => sql.transaction(work),
      };
      const { meter } = bed(failing);
      meter.report(report());
      broken = true;
      expect(() => meter.report(report({ seq: 2 }))).toThrow("disk");
      expect(sets(meter)).toBe(1);
      broken = false;
      expect(meter.report(report({ seq: 2 }))).toEqual({ counted: "now" });
      expect(sets(meter)).toBe(2);
    });
  });
});

const firstSeed = 20_261;

describe("MT1 under random flushes, duplicates, reorderings and restarts", () => {
  it.each(Array.from({ length: 20 }, (_, i) => [firstSeed + i]))(
    "totals are exactly what was counted and not lost with its reporter, and never fall (seed %i)",
    async (seed) => {
      await host.withSql((sql) => {
        const { below } = seeded(seed);
        const { open, clock } = bed(sql);
        let meter = open();
        let names = 0;
        const born = () => new Registry({ reporter: name(++names), kind: "isolate" });
        const registries = Array.from({ length: 4 }, () => ({ registry: born() }));
        /** All that was ever sent: any of it may arrive again. */
        const wire: Report[] = [];
        const arrived = new Set<string>();
        let expected = 0;
        let seen = 0;
        const deliver = (sent: Report) => {
          const answer = meter.report(sent);
          const mark = `${sent.reporter}/${sent.seq}`;
          expect(answer).toEqual({ counted: arrived.has(mark) ? "before" : "now" });
          if (!arrived.has(mark)) expected += sent.counters.find(([id]) => id === "warp_set_total")?.[1] ?? 0;
          arrived.add(mark);
        };
        for (let step = 0; step < 400; step++) {
          const at = registries[below(registries.length)];
          if (at === undefined) continue;
          clock.nowMs += below(20_000);
          switch (below(8)) {
            case 0:
            case 1:
            case 2:
              at.registry.add("warp_set_total", 1 + below(1_000));
              break;
            case 3:
            case 4: {
              const sent = at.registry.take(clock.nowMs);
              if (sent === undefined) break;
              wire.push(sent);
              if (below(4) === 0) break; // lost on the way
              deliver(sent);
              if (below(4) > 0) at.registry.acknowledge(sent.seq);
              break;
            }
            case 5: {
              // A copy that was delayed; the meter had a newer one of that reporter perhaps.
              const late = wire[below(Math.max(1, wire.length))];
              const newest = wire.findLast((one) => one.reporter === late?.reporter);
              if (late !== undefined && (arrived.has(`${late.reporter}/${late.seq}`) || late === newest))
                deliver(late);
              break;
            }
            case 6:
              meter = open();
              break;
            default:
              if (below(6) === 0) at.registry = born();
          }
          const total = sets(meter) ?? 0;
          expect(total).toBe(expected);
          expect(total).toBeGreaterThanOrEqual(seen);
          seen = total;
        }
        expect(seen).toBeGreaterThan(0);
      });
    },
  );
});
