import { WarpError } from "../errors.ts";
import { checkMutation, mutationPrint } from "../protocol/mutation.ts";
import { replayOf } from "../protocol/outcomes.ts";
import { type Plan, planMutation, verdictOf } from "../protocol/plan.ts";
import type { Mutation, Verdict } from "../protocol/shard-api.ts";
import type { KeyState } from "./key-table.ts";
import { type StateParts, StateView } from "./state-view.ts";
import type { VerdictTable } from "./verdict-table.ts";

/** What a mutator works on. */
export interface MutatorParts extends StateParts {
  readonly verdicts: VerdictTable;
}

/**
 * Carries out one mutation at a time, inside the transaction of its caller: checks, compares, gives the revision, writes key, log, history and
 * verdict. A refusal is a verdict; what it throws is trouble with the storage.
 */
export class Mutator {
  readonly #parts: MutatorParts;

  constructor(parts: MutatorParts) {
    this.#parts = parts;
  }

  /** `judgedMs`: by which time its op id is judged. Default: `nowMs`. */
  apply(mutation: Mutation, nowMs: number, judgedMs = nowMs): Verdict {
    const { changes, verdicts } = this.#parts;
    const known = this.#known(mutation, judgedMs);
    if ("verdict" in known) return known.verdict;
    const { print } = known;
    const planned = this.#plan(mutation, new StateView(this.#parts, nowMs, true));
    let verdict: Verdict;
    if ("act" in planned) {
      const note = { atMs: nowMs, opId: mutation.opId, fingerprint: print };
      verdict = verdictOf(planned, changes.carryOut(planned, note));
      // The log entry tells it.
      if (planned.act !== "nothing") return verdict;
    } else verdict = planned;
    verdicts.keep(mutation.opId, nowMs, { print, verdict });
    return verdict;
  }

  /** The verdict that a mutation would end with without changing anything (a refusal, a repeat, a delete of an absent key); undefined: it would change. */
  preview(mutation: Mutation, nowMs: number): Verdict | undefined {
    const known = this.#known(mutation, nowMs);
    if ("verdict" in known) return known.verdict;
    const planned = this.#plan(mutation, new StateView(this.#parts, nowMs, false));
    if (!("act" in planned)) return planned;
    return planned.act === "nothing" ? verdictOf(planned, 0) : undefined;
  }

  /** The verdict of what is malformed or was seen before, else its print. */
  #known(mutation: Mutation, nowMs: number): { readonly verdict: Verdict } | { readonly print: string } {
    const refused = checkMutation(mutation, nowMs, this.#parts.maxValueBytes);
    // Needs no memory: it would be refused again.
    if (refused !== undefined) return { verdict: { outcome: "fail", error: refused.toData() } };
    const print = mutationPrint(mutation);
    const known = this.#parts.verdicts.find(mutation.opId);
    return known === undefined ? { print } : { verdict: replayOf<Verdict>(known, print) };
  }

  #plan(mutation: Mutation, view: StateView): Plan<KeyState> | Extract<Verdict, { outcome: "fail" }> {
    try {
      return planMutation(mutation, view);
    } catch (error) {
      if (error instanceof WarpError) return { outcome: "fail", error: error.toData() };
      throw error;
    }
  }
}
