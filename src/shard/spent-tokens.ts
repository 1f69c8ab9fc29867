import { WarpError } from "../errors.ts";
import type { Refusal } from "../protocol/shard-api.ts";
import type { RedeemReply, RedeemRequest, TokenApi } from "../protocol/tokens.ts";
import type { Clock } from "../runtime/clock.ts";
import { maxSpentTokens, tokenSkewMs } from "../runtime/limits.ts";
import type { Sql } from "../runtime/sql.ts";
import type { GroupCommit } from "./group-commit.ts";
import { deleting, notFound, refuse } from "./refusal.ts";
import type { Residence } from "./residence.ts";

/** The home of a space remembers which tokens for one use were spent, until they end. */
export class SpentTokens implements TokenApi {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #residence: Pick<Residence, "open">;
  readonly #commit: GroupCommit;

  constructor(
    { sql, clock }: { readonly sql: Sql; readonly clock: Clock },
    residence: Pick<Residence, "open">,
    commit: GroupCommit,
  ) {
    this.#sql = sql;
    this.#clock = clock;
    this.#residence = residence;
    this.#commit = commit;
  }

  /** Answers when it is durable that the token is spent: another instance gives it no second life. */
  redeem({ id, endsAtMs }: RedeemRequest): Promise<RedeemReply | Refusal> {
    return this.#commit.submit(() => {
      const ledger = this.#residence.open();
      if (ledger === undefined) return notFound();
      if (ledger.deleting) return deleting(ledger.space);
      const sql = this.#sql;
      // The Worker that lets it in, and the next host of this object, may have other clocks.
      sql.run("DELETE FROM spent_tokens WHERE ends_at < ?", Math.floor(this.#clock.now() - tokenSkewMs));
      if (sql.all("SELECT 1 FROM spent_tokens WHERE id = ?", id).length > 0) return { isFresh: false };
      const [row] = sql.all<{ count: number }>("SELECT count(*) AS count FROM spent_tokens");
      if (Number(row?.count) >= maxSpentTokens) {
        return refuse(
          new WarpError("overloaded", "too many tokens for one use were spent in the last minutes", {
            retryAfterMs: 1_000,
          }),
        );
      }
      sql.run("INSERT INTO spent_tokens VALUES (?, ?)", id, Math.ceil(endsAtMs));
      return { isFresh: true };
    });
  }
}
