import type { LabelValues, Metric } from "./catalog.ts";

/**
 * The name of one series between reporter and meter: the metric's name and the values of its labels in order, with `|` between them.
 * A histogram has one series for each bucket (`…|0`, `…|1`, not cumulative; the last one is `+Inf`) and one for the sum (`…|sum`).
 */
export type SeriesId = string;

const separator = "|";

/** The series of `metric` with these label values. One that the label does not know becomes `other`. */
export function seriesId(
  metricName: string,
  metric: Metric,
  values: Readonly<Record<string, string>>,
  routes: ReadonlySet<string>,
): SeriesId {
  let id = metricName;
  for (const label in metric.labels) {
    const allowed = metric.labels[label];
    const value = values[label];
    id += separator + (value !== undefined && isAllowed(allowed, value, routes) ? value : "other");
  }
  return id;
}

function isAllowed(allowed: LabelValues | undefined, value: string, routes: ReadonlySet<string>): boolean {
  return allowed === "routes" ? routes.has(value) : (allowed?.includes(value) ?? false);
}

/** A part of a histogram's series: a bucket by its place, or the sum. */
export function partId(id: SeriesId, part: number | "sum"): SeriesId {
  return id + separator + part;
}

/** The metric's name and the values behind it. */
export function parseSeries(id: SeriesId): {
  readonly metricName: string;
  readonly values: readonly string[];
} {
  const [metricName = "", ...values] = id.split(separator);
  return { metricName, values };
}

/** Whether a value may stand in a series: printable ASCII without what has a meaning there or in the text format. */
export function isPlainValue(value: string): boolean {
  return /^[\x20-\x7e]{1,128}$/.test(value) && !/[|"\\]/.test(value);
}
