import { WarpError } from "../errors.ts";
import { isRefusal, type Refusal } from "../protocol/shard-api.ts";
import type { Clock } from "../runtime/clock.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Strong } from "./strong/strong.ts";
import type { StrongRequest } from "./strong/strong-write.ts";

/** The way of every change of keys: one commit, or a strong write where it must be one (rule ST2). */
export class WritePath {
  readonly #clock: Clock;
  readonly #commit: GroupCommit;
  readonly #strong: Pick<Strong, "concerns" | "begin">;

  constructor(clock: Clock, commit: GroupCommit, strong: Pick<Strong, "concerns" | "begin">) {
    this.#clock = clock;
    this.#commit = commit;
    this.#strong = strong;
  }

  /** Carries a request out, all its operations in one commit. */
  async take<V, R extends object>(request: StrongRequest<V, R>): Promise<R | Refusal> {
    const strong: { write?: Promise<R | Refusal> } = {};
    const plainly = this.#commit.submit(() => {
      // It has a place among the strong writes, though another's trouble undid this group.
      if (strong.write !== undefined) return undefined;
      const ledger = request.admit();
      if (isRefusal(ledger)) return ledger;
      if (this.#strong.concerns(ledger, request.operations)) {
        strong.write = this.#strong.begin(request).done;
        return undefined;
      }
      const nowMs = this.#clock.now();
      return request.reply(
        ledger,
        request.operations.map((operation) => operation.apply(ledger, nowMs)),
      );
    }, request.weight);
    try {
      const answer = await plainly;
      if (answer !== undefined) return answer;
    } catch (error) {
      // Once it is a strong write, what becomes of the group that began it is nothing to it.
      if (strong.write === undefined) throw error;
    }
    if (strong.write === undefined)
      throw new WarpError("internal", "a write has neither an answer nor a turn");
    return await strong.write;
  }
}
