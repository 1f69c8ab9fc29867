import { WarpError } from "../errors.ts";
import { mutationPrint, opIdTime } from "../protocol/mutation.ts";
import { opIdWindowMs } from "../runtime/limits.ts";
import type { Mutation, Verdict } from "./adapter.ts";

interface Remembered {
  readonly print: string;
  readonly verdict: Verdict;
  /** From here on its op id is refused for its age, so that it need not be known. */
  readonly untilMs: number;
}

/** Verdicts by op id for as long as an op id counts (rule OU2), for adapters that have no log to look into. */
export class VerdictMemory {
  readonly #verdicts = new Map<string, Remembered>();
  #tidyAtMs = 0;

  /** The verdict that `mutation`'s op id has got, marked as replayed; `op_id_reused` if that was another operation; undefined: new. */
  recall(mutation: Mutation): Verdict | undefined {
    const known = this.#verdicts.get(mutation.opId);
    if (known === undefined) return undefined;
    if (known.print === mutationPrint(mutation)) return { ...known.verdict, replayed: true };
    const error = new WarpError(
      "op_id_reused",
      "this op id was used for a different operation; make a new one for each operation",
    );
    return { outcome: "fail", error: error.toData() };
  }

  keep(mutation: Mutation, verdict: Verdict, nowMs: number): void {
    const untilMs = (opIdTime(mutation.opId) ?? nowMs) + opIdWindowMs;
    this.#verdicts.set(mutation.opId, { print: mutationPrint(mutation), verdict, untilMs });
    if (nowMs >= this.#tidyAtMs) this.#tidy(nowMs);
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
