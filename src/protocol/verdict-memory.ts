import { opIdWindowMs } from "../runtime/limits.ts";
import { opIdTime } from "./mutation.ts";
import {
  checkResolveCount,
  type KnownOutcome,
  type Outcome,
  replayOf,
  resolutionOf,
  sealedOutcome,
} from "./outcomes.ts";
import type { Resolution } from "./shard-api.ts";

interface Remembered extends KnownOutcome {
  /** From here on its op id is refused for its age, so that it need not be known. */
  readonly untilMs: number;
}

/** Verdicts by op id for as long as an op id counts (rule OU2), for storages that have no log to look into. */
export class VerdictMemory {
  readonly #verdicts = new Map<string, Remembered>();
  #tidyAtMs = 0;

  /** The verdict that an op id has got, marked as replayed; `op_id_reused` if that was an operation of another print; undefined: new. */
  recall<V extends Outcome>(opId: string, print: string): V | undefined {
    const known = this.#verdicts.get(opId);
    return known === undefined ? undefined : replayOf<V>(known, print);
  }

  keep(opId: string, outcome: KnownOutcome, nowMs: number): void {
    const untilMs = (opIdTime(opId) ?? nowMs) + opIdWindowMs;
    this.#verdicts.set(opId, { ...outcome, untilMs });
    if (nowMs >= this.#tidyAtMs) this.#tidy(nowMs);
  }

  /**
   * What became of operations (rule OU3); with `seal` those that were not seen are refused from now on. Throws `invalid_op_id`, `op_id_expired`,
   * `batch_too_large`, before anything is sealed.
   */
  resolve(opIds: readonly string[], seal: boolean, nowMs: number): readonly Resolution[] {
    checkResolveCount(opIds.length);
    const resolutions = opIds.map((opId) => resolutionOf(opId, this.#verdicts.get(opId), nowMs));
    if (!seal) return resolutions;
    return resolutions.map((resolution, index) => {
      const opId = opIds[index];
      if (resolution.state !== "unseen" || opId === undefined) return resolution;
      this.keep(opId, sealedOutcome, nowMs);
      return { state: "sealed" };
    });
  }

  /** At most every 10 s, and only from the old end: an op id from a clock ahead holds up those behind it for a minute at most. */
  #tidy(nowMs: number): void {
    this.#tidyAtMs = nowMs + 10_000;
    for (const [opId, { untilMs }] of this.#verdicts) {
      if (untilMs >= nowMs) return;
      this.#verdicts.delete(opId);
    }
  }
}
