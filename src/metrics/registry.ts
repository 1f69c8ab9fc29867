import { WarpError } from "../errors.ts";
import { reporterForgetMs } from "../runtime/limits.ts";
import {
  type CounterName,
  catalog,
  type GaugeName,
  type HistogramName,
  histogramScale,
  type Metric,
} from "./catalog.ts";
import type { Report, ReporterKind } from "./report.ts";
import { isPlainValue, partId, type SeriesId, seriesId } from "./series.ts";

/** What a {@link Registry} is made of. */
export interface RegistryOptions {
  /** 32 random lower-case hex digits. */
  readonly reporter: string;
  readonly kind: ReporterKind;
  /** What the label `route` may say. Default none. */
  readonly routes?: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

const noLabels: Labels = {};

/** A report that can't be delivered is given up long before the meter may have forgotten that it counted it already. */
const giveUpMs = reporterForgetMs / 2;

/**
 * What one isolate or object counts, until the meter has it. At most one report is out at a time; what is counted meanwhile waits for the
 * next. A report is repeated unchanged until it is acknowledged, so that it counts once however often it arrives (rule MT1).
 */
export class Registry {
  readonly #reporter: string;
  readonly #kind: ReporterKind;
  readonly #routes: ReadonlySet<string>;
  #counters = new Map<SeriesId, number>();
  readonly #gauges = new Map<SeriesId, number>();
  /** Last readings of counters that are kept elsewhere. */
  readonly #readings = new Map<SeriesId, number>();
  #out: { readonly report: Report; readonly sinceMs: number } | undefined;
  #seq = 0;

  /** Throws `invalid_argument` for a route that can't stand in a label. */
  constructor({ reporter, kind, routes = [] }: RegistryOptions) {
    this.#reporter = reporter;
    this.#kind = kind;
    this.#routes = new Set(routes);
    const odd = routes.find((route) => !isPlainValue(route));
    if (odd !== undefined) throw new WarpError("invalid_argument", `the route ${odd} can't be a label`);
  }

  /** Counts `by` more, a whole number. */
  add(name: CounterName, by = 1, labels: Labels = noLabels): void {
    if (by > 0) this.#grow(this.#series(name, labels), by);
  }

  /** Reads a counter that is kept elsewhere: counts what it has grown by since the last reading. One that fell has begun anew. */
  read(name: CounterName, value: number): void {
    const id = this.#series(name, noLabels);
    const last = this.#readings.get(id) ?? 0;
    this.#readings.set(id, value);
    const growth = value < last ? value : value - last;
    if (growth > 0) this.#grow(id, growth);
  }

  /** From where on {@link read} counts; without it from 0. */
  readFrom(name: CounterName, value: number): void {
    this.#readings.set(this.#series(name, noLabels), value);
  }

  /** What is now: a whole number. */
  set(name: GaugeName, value: number, labels: Labels = noLabels): void {
    this.#gauges.set(this.#series(name, labels), value);
  }

  /** One observation, in the metric's unit; at least 0. */
  observe(name: HistogramName, value: number, labels: Labels = noLabels): void {
    const { buckets } = catalog[name];
    const id = this.#series(name, labels);
    let place = 0;
    for (const bound of buckets) {
      if (value <= bound) break;
      place++;
    }
    this.#grow(partId(id, place), 1);
    const scaled = Math.round(value * histogramScale);
    if (scaled > 0) this.#grow(partId(id, "sum"), scaled);
  }

  /** The report that is out and not acknowledged. */
  get outstanding(): Report | undefined {
    return this.#out?.report;
  }

  /** What is to be sent: the report that is out, else a new one; undefined: nothing was counted. */
  take(nowMs: number): Report | undefined {
    if (this.#out !== undefined && nowMs - this.#out.sinceMs > giveUpMs) {
      this.#out = undefined;
      this.add("warp_metrics_abandoned_total");
    }
    if (this.#out === undefined && this.#counters.size > 0) {
      this.#seq++;
      const report: Report = {
        reporter: this.#reporter,
        kind: this.#kind,
        seq: this.#seq,
        counters: [...this.#counters],
        gauges: [...this.#gauges],
      };
      this.#counters = new Map();
      this.#out = { report, sinceMs: nowMs };
    }
    return this.#out?.report;
  }

  /** The meter has the report `seq`. */
  acknowledge(seq: number): void {
    if (this.#out?.report.seq === seq) this.#out = undefined;
  }

  #series(name: keyof typeof catalog, labels: Labels): SeriesId {
    const metric: Metric = catalog[name];
    return metric.labels === undefined ? name : seriesId(name, metric, labels, this.#routes);
  }

  #grow(id: SeriesId, by: number): void {
    this.#counters.set(id, (this.#counters.get(id) ?? 0) + by);
  }
}
