import { checkResolveCount, resolutionOf, sealedOutcome } from "../protocol/outcomes.ts";
import type { Resolution } from "../protocol/shard-api.ts";
import type { VerdictTable } from "./verdict-table.ts";

/** Tells what became of operations, and settles what was not seen (rule OU3). */
export class Resolver {
  readonly #verdicts: VerdictTable;

  constructor(verdicts: VerdictTable) {
    this.#verdicts = verdicts;
  }

  /**
   * The resolutions of scoped op ids, in order; `isPending` knows the operations that are under way. With `seal` those that were not seen are
   * refused from now on. Throws `invalid_op_id`, `op_id_expired`, `batch_too_large`, before anything is sealed.
   */
  resolve(
    opIds: readonly string[],
    nowMs: number,
    seal: boolean,
    isPending: (opId: string) => boolean,
  ): readonly Resolution[] {
    checkResolveCount(opIds.length);
    const resolutions = opIds.map(
      (opId): Resolution =>
        isPending(opId) ? { state: "pending" } : resolutionOf(opId, this.#verdicts.find(opId), nowMs),
    );
    if (!seal) return resolutions;
    return resolutions.map((resolution, index) => {
      const opId = opIds[index];
      if (resolution.state !== "unseen" || opId === undefined) return resolution;
      this.#verdicts.keep(opId, nowMs, sealedOutcome);
      return { state: "sealed" };
    });
  }
}
