import { type Catalog, histogramScale, type Metric } from "./catalog.ts";
import type { Format } from "./report.ts";
import { parseSeries, partId, type SeriesId } from "./series.ts";

/** Content types, by format. */
export const contentTypes: Readonly<Record<Format, string>> = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/**
 * All metrics of `catalog` with their series in `values`, as text. Series that the catalog does not know (an older or newer Warp's) are left
 * out; a metric without labels and without a value is 0.
 */
export function expose(catalog: Catalog, values: ReadonlyMap<SeriesId, number>, format: Format): string {
  const ids = new Map<string, Set<SeriesId>>();
  for (const id of values.keys()) {
    const { metricName, values: parts } = parseSeries(id);
    const metric = catalog[metricName];
    if (metric === undefined) continue;
    const labels = Object.keys(metric.labels ?? {}).length;
    if (parts.length !== labels + (metric.type === "histogram" ? 1 : 0)) continue;
    const known = ids.get(metricName) ?? new Set();
    known.add(metric.type === "histogram" ? id.slice(0, id.lastIndexOf("|")) : id);
    ids.set(metricName, known);
  }
  let text = "";
  for (const [metricName, metric] of Object.entries(catalog)) {
    const own = ids.get(metricName) ?? (metric.labels === undefined ? [metricName] : []);
    text += head(metricName, metric, format);
    for (const id of [...own].sort()) text += sample(metricName, metric, id, values, format);
  }
  return format === "openmetrics" ? `${text}# EOF\n` : text;
}

function head(metricName: string, { type, help, unit }: Metric, format: Format): string {
  const family =
    format === "openmetrics" && type === "counter" ? metricName.replace(/_total$/, "") : metricName;
  const told = format === "openmetrics" && unit !== undefined ? `# UNIT ${family} ${unit}\n` : "";
  const about = help === undefined ? "" : `# HELP ${family} ${help}.\n`;
  return `${about}# TYPE ${family} ${type}\n${told}`;
}

function sample(
  metricName: string,
  metric: Metric,
  id: SeriesId,
  values: ReadonlyMap<SeriesId, number>,
  format: Format,
): string {
  const names = Object.keys(metric.labels ?? {});
  const labels = parseSeries(id).values.map((value, i) => `${names[i]}="${value}"`);
  if (metric.type !== "histogram") return `${metricName}${braces(labels)} ${values.get(id) ?? 0}\n`;
  let text = "";
  let count = 0;
  for (const [place, bound] of [...metric.buckets, "+Inf" as const].entries()) {
    count += values.get(partId(id, place)) ?? 0;
    // OpenMetrics wants each bound to look like a float.
    const le = format === "openmetrics" && Number.isInteger(bound) ? `${bound}.0` : `${bound}`;
    text += `${metricName}_bucket${braces([...labels, `le="${le}"`])} ${count}\n`;
  }
  const sum = (values.get(partId(id, "sum")) ?? 0) / histogramScale;
  return `${text}${metricName}_sum${braces(labels)} ${sum}\n${metricName}_count${braces(labels)} ${count}\n`;
}

function braces(labels: readonly string[]): string {
  return labels.length === 0 ? "" : `{${labels.join(",")}}`;
}
