import { type MetricsEnvironment, meterName, parseMetricsInterval } from "../metrics/config.ts";
import { Flusher } from "../metrics/flusher.ts";
import { Registry } from "../metrics/registry.ts";
import { workersClock, workersLog, workersRandom } from "../platform/workers.ts";
import { randomHex } from "../runtime/ids.ts";
import type { Shard } from "../shard/shard.ts";
import type { WarpMeter } from "./warp-meter.ts";

/** The bindings that a shard needs to report. */
export interface ShardMetricsEnv extends MetricsEnvironment {
  /** Absent: nothing is reported. */
  readonly METER?: DurableObjectNamespace<WarpMeter>;
}

/** Reports what a shard counts to the meter, behind the shard's own calls. One that commits nothing is silent. */
export class ShardMetrics {
  readonly #flusher: Flusher | undefined;

  constructor(shard: Shard, env: ShardMetricsEnv) {
    const { METER } = env;
    if (METER === undefined) return;
    const registry = new Registry({ reporter: randomHex(workersRandom, 16), kind: "shard" });
    registry.readFrom("warp_shard_log_entries_total", shard.figures.logHead);
    this.#flusher = new Flusher({
      registry,
      collect: () => {
        const { commits, works, logHead } = shard.figures;
        registry.read("warp_shard_commits_total", commits);
        registry.read("warp_shard_works_total", works);
        registry.read("warp_shard_log_entries_total", logHead);
      },
      send: (report) => METER.get(METER.idFromName(meterName)).report(report),
      clock: workersClock,
      // An object lives on while it waits for an answer: nothing has to hold the work.
      background: { run: (work) => void work.catch(tell) },
      intervalMs: parseMetricsInterval(env.WARP_METRICS_INTERVAL_MS),
    });
  }

  /** Gives what `work` gives, and reports behind it when it is time. */
  async after<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      this.#flusher?.touch();
    }
  }
}

function tell(error: unknown): void {
  workersLog.error("a shard could not report its counts; it will try again", { error });
}
