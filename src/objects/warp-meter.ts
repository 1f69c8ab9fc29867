import { DurableObject } from "cloudflare:workers";
import { type MetricsEnvironment, parseMetricsInterval } from "../metrics/config.ts";
import { Meter } from "../metrics/meter.ts";
import type { Format, MeterApi, Report, ReportAnswer } from "../metrics/report.ts";
import { workersClock, workersSql } from "../platform/workers.ts";

/**
 * The Durable Object that adds up what all isolates and shards count: fits the platform's storage to {@link Meter}. The class name
 * and its storage live in users' accounts for ever.
 */
export class WarpMeter extends DurableObject<MetricsEnvironment> implements MeterApi {
  readonly #meter: Meter;

  constructor(ctx: DurableObjectState, env: MetricsEnvironment) {
    super(ctx, env);
    this.#meter = new Meter({
      sql: workersSql(ctx.storage),
      clock: workersClock,
      intervalMs: parseMetricsInterval(env.WARP_METRICS_INTERVAL_MS),
    });
  }

  async report(report: Report): Promise<ReportAnswer> {
    return this.#meter.report(report);
  }

  async scrape(format: Format): Promise<string> {
    return this.#meter.scrape(format);
  }
}
