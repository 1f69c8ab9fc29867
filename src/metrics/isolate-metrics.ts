import { WarpError } from "../errors.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock } from "../runtime/clock.ts";
import { Flusher } from "./flusher.ts";
import { type NodeFigures, readNodes } from "./node-figures.ts";
import { Registry } from "./registry.ts";
import type { Format, MeterApi } from "./report.ts";

/** What {@link IsolateMetrics} is made of. */
export interface IsolateMetricsOptions {
  /** 32 random lower-case hex digits. */
  readonly reporter: string;
  /** Paths of the HTTP routes. */
  readonly routes: readonly string[];
  /** The meter, asked for anew for each call: a stub belongs to the request that made it. */
  readonly meter: () => MeterApi;
  /** What all nodes of the isolate have counted; undefined: there was none yet. */
  readonly figures: () => NodeFigures | undefined;
  readonly clock: Clock;
  readonly background: Background;
  readonly intervalMs: number;
  /** Takes what a scrape could not add of this isolate's own counts. */
  readonly onError: (error: unknown) => void;
}

/** An answered HTTP request. */
export interface AnsweredRequest {
  /** The route's path as it is declared; anything else counts as `other`. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  /** From the request to the head of its answer. */
  readonly durationMs: number;
}

/** The events of a node that are counted. `Warp` has them. */
export interface NodeEvents {
  on(event: "set" | "delete", listener: () => void): unknown;
  on(event: "invalidate", listener: (event: { readonly source: "local" | "log" }) => void): unknown;
}

/** What a Worker isolate counts, and how it comes to the meter: behind its requests, at most once an interval. */
export class IsolateMetrics {
  readonly #options: IsolateMetricsOptions;
  readonly #registry: Registry;
  readonly #flusher: Flusher;

  constructor(options: IsolateMetricsOptions) {
    const { reporter, routes, meter, figures, clock, background, intervalMs } = options;
    this.#options = options;
    const registry = new Registry({ reporter, kind: "isolate", routes });
    this.#registry = registry;
    this.#flusher = new Flusher({
      registry,
      collect: () => {
        const now = figures();
        if (now !== undefined) readNodes(registry, now);
      },
      send: async (report) => await meter().report(report),
      clock,
      background,
      intervalMs,
    });
  }

  /** Counts what a node does beside its figures. */
  listen(node: NodeEvents): void {
    const registry = this.#registry;
    node.on("set", () => registry.add("warp_set_total"));
    node.on("delete", () => registry.add("warp_delete_total"));
    node.on("invalidate", ({ source }) => {
      registry.add("warp_core_evictions_total");
      if (source === "local") registry.add("warp_invalidate_total");
    });
  }

  /** Counts a request, and reports behind it when it is time. */
  observe({ route, method, status, durationMs }: AnsweredRequest): void {
    const labels = { route, method, status: `${Math.floor(status / 100)}xx` };
    this.#registry.add("warp_requests_total", 1, labels);
    // The host's clock may be set back in between.
    this.#registry.observe("warp_request_duration_seconds", Math.max(0, durationMs) / 1_000, labels);
    this.#flusher.touch();
  }

  /** The deployment's metrics, with all that this isolate has counted up to now. Rejects with `unavailable`. */
  async scrape(format: Format): Promise<string> {
    try {
      await this.#flusher.flush();
    } catch (error) {
      // What the meter has is worth telling all the same; if it can't be reached, the next line says so.
      this.#options.onError(error);
    }
    try {
      return await this.#options.meter().scrape(format);
    } catch (error) {
      throw WarpError.from(error, "unavailable", "the meter can't be reached");
    }
  }
}
