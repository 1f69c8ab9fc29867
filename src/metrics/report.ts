import { type ErrorData, WarpError } from "../errors.ts";
import { maxReportSeries } from "../runtime/limits.ts";
import { isPlainValue, parseSeries, type SeriesId } from "./series.ts";

/** Who counts: a Worker isolate, or the object of a shard. */
export type ReporterKind = "isolate" | "shard";

/** What one reporter has to tell. Sent again and again with the same `seq` until it is acknowledged. */
export interface Report {
  /** Random, one for each life of an isolate or object: 32 lower-case hex digits. */
  readonly reporter: string;
  readonly kind: ReporterKind;
  /** 1, 2, 3 … A report is made only when the one before it was acknowledged or given up. */
  readonly seq: number;
  /** What was counted since the report before, in whole numbers above 0. */
  readonly counters: readonly (readonly [SeriesId, number])[];
  /** What is now. */
  readonly gauges: readonly (readonly [SeriesId, number])[];
}

/** The meter's answer: the report counts, now or since an earlier delivery; or it was refused and counts for nothing. */
export type ReportAnswer = { readonly counted: "now" | "before" } | { readonly refused: ErrorData };

/** What the meter's object and its stubs speak. */
export interface MeterApi {
  report(report: Report): Promise<ReportAnswer>;
  scrape(format: Format): Promise<string>;
}

/** Prometheus text 0.0.4, or OpenMetrics 1.0. */
export type Format = "text" | "openmetrics";

/** What is wrong with a report; undefined: nothing. */
export function checkReport({ reporter, kind, seq, counters, gauges }: Report): WarpError | undefined {
  if (!/^[0-9a-f]{32}$/.test(reporter)) return wrong("reporter must be 32 hex digits");
  if (kind !== "isolate" && kind !== "shard") return wrong("kind must be isolate or shard");
  if (!Number.isSafeInteger(seq) || seq < 1) return wrong("seq must be a whole number from 1");
  if (counters.length + gauges.length > maxReportSeries) {
    return wrong(`a report has at most ${maxReportSeries} series`);
  }
  const known = new Set<SeriesId>();
  for (const [id, value] of [...counters, ...gauges]) {
    const { metricName, values } = parseSeries(id);
    if (!/^[a-z_]{1,64}$/.test(metricName) || !values.every(isPlainValue))
      return wrong("a series is malformed");
    if (!Number.isSafeInteger(value) || value < 0) return wrong("a value must be a whole number from 0");
    if (known.has(id)) return wrong("a series is there twice");
    known.add(id);
  }
  return undefined;
}

function wrong(why: string): WarpError {
  return new WarpError("invalid_argument", `the report can't be counted: ${why}`);
}
