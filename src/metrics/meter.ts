import { WarpError } from "../errors.ts";
import type { Clock } from "../runtime/clock.ts";
import { maxReporters, maxSeries, reporterForgetMs } from "../runtime/limits.ts";
import type { Sql } from "../runtime/sql.ts";
import { catalog } from "./catalog.ts";
import { expose } from "./exposition.ts";
import { checkReport, type Format, type Report, type ReportAnswer } from "./report.ts";
import { type SeriesId, seriesId } from "./series.ts";

/** What a {@link Meter} is made of. */
export interface MeterOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  /** How often reporters report at most, in ms. Gauges of one that is silent for three times as long no longer count. */
  readonly intervalMs: number;
  /** Default 20,000. */
  readonly maxReporters?: number;
}

/** How often reporters that were silent for a day are forgotten. */
const sweepMs = 3_600_000;

const noRoutes: ReadonlySet<string> = new Set();

/**
 * Adds up what all reporters tell, exactly: one row with the totals and one for each reporter, which says up to where it was counted
 * (rule MT1). A report writes these two rows, whatever number of series it has.
 */
export class Meter {
  readonly #options: MeterOptions;
  /** As in the database; undefined: to be read. */
  #totals: Map<SeriesId, number> | undefined;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** Counts a report, once. */
  report(report: Report): ReportAnswer {
    const wrong = checkReport(report);
    if (wrong !== undefined) return { refused: wrong.toData() };
    const { sql } = this.#options;
    try {
      return sql.transaction(() => this.#count(report));
    } catch (cause) {
      this.#totals = undefined;
      if (cause instanceof WarpError) return { refused: cause.toData() };
      throw cause;
    }
  }

  /** All metrics as text. */
  scrape(format: Format): string {
    const values = new Map(this.#exists() ? this.#load() : []);
    for (const [id, value] of this.#gauges()) values.set(id, value);
    return expose(catalog, values, format);
  }

  #count({ reporter, kind, seq, counters, gauges }: Report): ReportAnswer {
    const { sql, clock } = this.#options;
    this.#prepare();
    const nowMs = Math.floor(clock.now());
    this.#sweep(nowMs);
    const [known] = sql.all<{ seq: number }>("SELECT seq FROM reporters WHERE reporter = ?", reporter);
    if (known !== undefined && seq <= known.seq) return { counted: "before" };
    if (known === undefined) this.#refuseTooMany();
    const totals = this.#load();
    for (const [id, by] of counters) totals.set(id, (totals.get(id) ?? 0) + by);
    if (totals.size > maxSeries) {
      throw new WarpError("overloaded", `the meter holds at most ${maxSeries} series`, { retryable: false });
    }
    sql.run(
      "INSERT OR REPLACE INTO reporters VALUES (?, ?, ?, ?, ?)",
      reporter,
      kind,
      seq,
      nowMs,
      JSON.stringify(gauges),
    );
    if (counters.length > 0) {
      sql.run("INSERT OR REPLACE INTO totals VALUES (0, ?)", JSON.stringify([...totals]));
    }
    return { counted: "now" };
  }

  #refuseTooMany(): void {
    const { sql, maxReporters: most = maxReporters } = this.#options;
    const [row] = sql.all<{ count: number }>("SELECT count(*) AS count FROM reporters");
    if ((row?.count ?? 0) < most) return;
    throw new WarpError("overloaded", `the meter remembers at most ${most} reporters of one day`, {
      retryAfterMs: sweepMs,
    });
  }

  /** Forgets who was silent for so long that no report of theirs can still be under way. */
  #sweep(nowMs: number): void {
    if (nowMs >= this.#sweptAtMs && nowMs - this.#sweptAtMs < sweepMs) return;
    this.#sweptAtMs = nowMs;
    this.#options.sql.run("DELETE FROM reporters WHERE seen_at < ?", nowMs - reporterForgetMs);
  }

  #gauges(): Map<SeriesId, number> {
    const { sql, clock, intervalMs } = this.#options;
    const sums = new Map<SeriesId, number>();
    const grow = (id: SeriesId, by: number): void => void sums.set(id, (sums.get(id) ?? 0) + by);
    for (const kind of ["isolate", "shard"]) grow(reportersOf(kind), 0);
    if (!this.#exists()) return sums;
    const rows = sql.all<{ kind: string; gauges: string }>(
      "SELECT kind, gauges FROM reporters WHERE seen_at >= ?",
      clock.now() - 3 * intervalMs,
    );
    for (const { kind, gauges } of rows) {
      grow(reportersOf(kind), 1);
      for (const [id, value] of JSON.parse(gauges) as Report["gauges"]) grow(id, value);
    }
    return sums;
  }

  #load(): Map<SeriesId, number> {
    if (this.#totals === undefined) {
      const [row] = this.#options.sql.all<{ data: string }>("SELECT data FROM totals");
      this.#totals = new Map(row === undefined ? [] : (JSON.parse(row.data) as [SeriesId, number][]));
    }
    return this.#totals;
  }

  #exists(): boolean {
    const { sql } = this.#options;
    return sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'totals'").length > 0;
  }

  #prepare(): void {
    if (this.#totals !== undefined) return;
    const { sql } = this.#options;
    sql.run(
      "CREATE TABLE IF NOT EXISTS reporters (reporter TEXT PRIMARY KEY, kind TEXT NOT NULL, seq INTEGER NOT NULL, seen_at INTEGER NOT NULL, gauges TEXT NOT NULL) WITHOUT ROWID",
    );
    sql.run("CREATE TABLE IF NOT EXISTS totals (place INTEGER PRIMARY KEY, data TEXT NOT NULL)");
  }
}

function reportersOf(kind: string): SeriesId {
  return seriesId("warp_reporters", catalog.warp_reporters, { kind }, noRoutes);
}
