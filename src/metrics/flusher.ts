import { WarpError } from "../errors.ts";
import type { Background } from "../runtime/background.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Registry } from "./registry.ts";
import type { Report, ReportAnswer } from "./report.ts";

/** What a {@link Flusher} is made of. */
export interface FlusherOptions {
  readonly registry: Registry;
  /** Takes counters that are kept elsewhere into the registry. */
  readonly collect: () => void;
  readonly send: (report: Report) => Promise<ReportAnswer>;
  readonly clock: Clock;
  /** Reports what it is given of errors. */
  readonly background: Background;
  /** Least time between two flushes behind events, in ms. */
  readonly intervalMs: number;
}

/**
 * Brings a registry's counts to the meter, behind the events that are counted: no timer stands, and nobody waits. What fails is sent again
 * at the next event that comes an interval later.
 */
export class Flusher {
  readonly #options: FlusherOptions;
  #begunAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: FlusherOptions) {
    this.#options = options;
  }

  /** Something was counted: flushes in the background if an interval has passed since the last time, or there was none. */
  touch(): void {
    const { clock, background, intervalMs } = this.#options;
    const nowMs = clock.now();
    // A clock set back must not keep us silent.
    if (nowMs >= this.#begunAtMs && nowMs - this.#begunAtMs < intervalMs) return;
    background.run(this.flush());
  }

  /**
   * Brings everything counted so far to the meter. Rejects where that failed; nothing is lost then. It never waits for a flush of another
   * caller, whose request may be gone: the same report may be sent twice.
   */
  async flush(): Promise<void> {
    const { registry, collect, clock } = this.#options;
    this.#begunAtMs = clock.now();
    collect();
    // What is out already was made before: it may lack what was counted since.
    const earlier = registry.outstanding;
    const first = registry.take(this.#begunAtMs);
    if (first === undefined) return;
    await this.#send(first);
    if (first !== earlier) return;
    const rest = registry.take(clock.now());
    if (rest !== undefined) await this.#send(rest);
  }

  async #send(report: Report): Promise<void> {
    const answer = await this.#options.send(report);
    if ("refused" in answer) throw WarpError.fromData(answer.refused);
    this.#options.registry.acknowledge(report.seq);
  }
}
