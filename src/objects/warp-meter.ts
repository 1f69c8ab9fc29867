import { DurableObject } from "cloudflare:workers";
import { type MetricsEnvironment, parseMetricsInterval } from "../metrics/config.ts";
import type { Meter } from "../metrics/meter.ts";
import type { Format, MeterApi, Report, ReportAnswer } from "../metrics/report.ts";
import { workersClock, workersSql } from "../platform/workers.ts";

/**
 * The Durable Object that adds up what all isolates and shards count: fits the platform's storage to {@link Meter}, which only this one object of a deployment loads. The
 * class name and its storage live in users' accounts for ever.
 */
export class WarpMeter extends DurableObject<MetricsEnvironment> implements MeterApi {
  #meter: Meter | undefined;

  async report(report: Report): Promise<ReportAnswer> {
    return (await this.#open()).report(report);
  }

  async scrape(format: Format): Promise<string> {
    return (await this.#open()).scrape(format);
  }

  async #open(): Promise<Meter> {
    const { Meter } = await import("../metrics/meter.ts");
    this.#meter ??= new Meter({
      sql: workersSql(this.ctx.storage),
      clock: workersClock,
      intervalMs: parseMetricsInterval(this.env.WARP_METRICS_INTERVAL_MS),
    });
    return this.#meter;
  }
}
