import { WarpError } from "../../errors.ts";
import { checkMutation, mutationPrint } from "../../protocol/mutation.ts";
import { resolutionOf } from "../../protocol/outcomes.ts";
import type { Position } from "../../protocol/position.ts";
import type { Resolution } from "../../protocol/shard-api.ts";
import type { CallLimits } from "../../runtime/call-limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import { listOf, type Reply, stringOf } from "../../upstash/reply.ts";
import type { Mutation, MutationAnswer, Verdict } from "../adapter.ts";
import { namedKey } from "../batch.ts";
import { batchScript, resolveScript } from "./scripts/writes.ts";
import type { UpstashRegistrations } from "./upstash-registrations.ts";
import type { UpstashSpace } from "./upstash-space.ts";
import { mutationArguments, outcomeOf, refused, unsupportedMutation, verdictOf } from "./verdicts.ts";

/** What {@link UpstashWrites} works with. */
export interface UpstashWritesParts {
  readonly space: UpstashSpace;
  readonly registrations: UpstashRegistrations;
  readonly clock: Clock;
  readonly maxValueBytes: number;
}

/** Writes to a space in Redis, and what became of them. */
export class UpstashWrites {
  readonly #parts: UpstashWritesParts;

  constructor(parts: UpstashWritesParts) {
    this.#parts = parts;
  }

  async batch(
    mutations: readonly Mutation[],
    limits: CallLimits | undefined,
  ): Promise<readonly MutationAnswer[]> {
    const { clock, maxValueBytes } = this.#parts;
    const nowMs = clock.now();
    const refusals = mutations.map((mutation): Verdict | undefined => {
      const error = checkMutation(mutation, nowMs, maxValueBytes) ?? unsupportedMutation(mutation);
      return error === undefined ? undefined : refused(error);
    });
    const sound = mutations.filter((_, at) => refusals[at] === undefined);
    const { asOf, answers } = await this.#apply(sound, limits);
    let next = 0;
    return mutations.map((mutation, at) => {
      const verdict = refusals[at] ?? verdictOf(stringOf(answers[next++]));
      return { ...namedKey(mutation), verdict, asOf };
    });
  }

  async resolve(
    operations: readonly { readonly opId: string; readonly key?: string }[],
    seal: boolean,
    limits: CallLimits,
  ): Promise<readonly Resolution[]> {
    const budget = this.#parts.space.budget(limits);
    const resolutions = await this.#recall(operations, false, budget.next());
    if (!seal || resolutions.every(({ state }) => state !== "unseen")) return resolutions;
    const sealed = await this.#recall(operations, true, budget.next());
    return sealed.map((one) => (one.state === "unseen" ? { state: "sealed" } : one));
  }

  /** In a strict space by the registrations as they are: found to be others, they are read again. */
  async #apply(
    mutations: readonly Mutation[],
    limits: CallLimits | undefined,
  ): Promise<{ readonly asOf: Position; readonly answers: readonly Reply[] }> {
    const { space, registrations } = this.#parts;
    const budget = space.budget(limits);
    for (;;) {
      const values = mutations.flatMap((mutation) => {
        // `unsupportedMutation` has taken these out.
        if (mutation.kind === "restore" || mutation.kind === "merge") return [];
        const isCovered = "key" in mutation && registrations.covers(mutation.key);
        return mutationArguments(mutation, mutationPrint(mutation), isCovered);
      });
      const words = [`${registrations.version}`, ...values];
      const { asOf, rest } = await space.run(batchScript, words, "write", budget.next());
      if (rest[0] !== "stale") return { asOf, answers: listOf(rest[0] ?? []) };
      await registrations.read(budget.next());
    }
  }

  async #recall(
    operations: readonly { readonly opId: string; readonly key?: string }[],
    seal: boolean,
    limits: CallLimits,
  ): Promise<readonly Resolution[]> {
    const nowMs = this.#parts.clock.now();
    for (const { opId } of operations) checkTime(opId, nowMs);
    const words = [seal ? "1" : "0", ...operations.map(({ opId }) => opId)];
    const effect = seal ? "write" : "read";
    const { rest } = await this.#parts.space.run(resolveScript, words, effect, limits);
    const records = listOf(rest[0] ?? []);
    return operations.map(({ opId, key }, at) =>
      resolutionOf(opId, outcomeOf(stringOf(records[at]), key === undefined), nowMs),
    );
  }
}

/** Throws `invalid_op_id` for what has no time, or one ahead: the script goes by it. One that is too old may be known all the same. */
function checkTime(opId: string, nowMs: number): void {
  try {
    resolutionOf(opId, undefined, nowMs);
  } catch (error) {
    if (!(error instanceof WarpError && error.code === "op_id_expired")) throw error;
  }
}
