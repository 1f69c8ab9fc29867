import { WarpError } from "../errors.ts";
import { isRefusal, type Refusal } from "../protocol/shard-api.ts";
import type { Clock } from "../runtime/clock.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { Strong } from "./strong/strong.ts";
import type { StrongRequest } from "./strong/strong-write.ts";
import { lacking, type Supply } from "./supply.ts";

/** The way of every change of keys: one commit, or a strong write where it must be one (rule ST2). */
export class WritePath {
  readonly #clock: Clock;
  readonly #commit: GroupCommit;
  readonly #strong: Pick<Strong, "concerns" | "begin">;
  readonly #supply: () => Supply | undefined;

  /** `supply`: a call's way to what only the storage behind the shard has; undefined: there is none. */
  constructor(
    clock: Clock,
    commit: GroupCommit,
    strong: Pick<Strong, "concerns" | "begin">,
    supply: () => Supply | undefined,
  ) {
    this.#clock = clock;
    this.#commit = commit;
    this.#strong = strong;
    this.#supply = supply;
  }

  /** Carries a request out, all its operations in one commit. */
  async take<V, R extends object>(request: StrongRequest<V, R>): Promise<R | Refusal> {
    const supply = this.#supply();
    try {
      for (;;) {
        const answer = await this.#try(request, supply);
        if (answer !== lacking) return answer;
        const refused = await supply?.bring();
        if (refused !== undefined) return refused;
      }
    } finally {
      supply?.end();
    }
  }

  async #try<V, R extends object>(
    request: StrongRequest<V, R>,
    supply: Supply | undefined,
  ): Promise<R | Refusal | typeof lacking> {
    const strong: { write?: Promise<R | Refusal> } = {};
    const plainly = this.#commit.submit(() => {
      // It has a place among the strong writes, though another's trouble undid this group.
      if (strong.write !== undefined) return undefined;
      const ledger = request.admit();
      if (isRefusal(ledger)) return ledger;
      // Judged in this stretch, or in those of a strong write: what is here now stays until it is done.
      if (supply?.hasFor(ledger, request.operations) === false) return lacking;
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
