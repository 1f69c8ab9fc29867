import { opIdTime } from "../../protocol/mutation.ts";
import type { Mutation, Verdict } from "../../protocol/shard-api.ts";
import type { Ledger } from "../ledger.ts";
import { MutationOperation } from "../strong/operation.ts";

/**
 * One proposal. It was acknowledged when it was proposed: no quorum is asked for any more, and its op id is not too old, however long it has waited, since its place in the stream says
 * that it was not applied. `isDoubtful`: the place does not say so, the stream had lost its tail; then its op id has to.
 */
export class ProposalOperation extends MutationOperation {
  readonly withoutQuorum = true;
  readonly #isDoubtful: boolean;

  constructor(mutation: Mutation, isDoubtful: boolean) {
    super(mutation);
    this.#isDoubtful = isDoubtful;
  }

  override apply(ledger: Ledger, nowMs: number): Verdict {
    const madeMs = opIdTime(this.mutation.opId) ?? nowMs;
    return ledger.mutator.apply(this.mutation, nowMs, this.#isDoubtful ? nowMs : madeMs);
  }
}
