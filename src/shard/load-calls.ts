import { WarpError } from "../errors.ts";
import type { LoadClaims } from "../protocol/load-claims.ts";
import { isRefusal, type ShardApi } from "../protocol/shard-api.ts";
import type { Admission } from "./admission.ts";
import { refuse } from "./refusal.ts";
import type { Residence } from "./residence.ts";
import { unwritten } from "./unwritten.ts";

/** The call that asks who loads a missing key. */
export class LoadCalls implements Pick<ShardApi, "claimLoad"> {
  /** Who loads what. */
  readonly claims: LoadClaims;
  readonly #residence: Residence;
  readonly #admission: Admission;

  constructor(claims: LoadClaims, residence: Residence, admission: Admission) {
    this.claims = claims;
    this.#residence = residence;
    this.#admission = admission;
  }

  async claimLoad(request: Parameters<ShardApi["claimLoad"]>[0]): ReturnType<ShardApi["claimLoad"]> {
    const ledger = await this.#admission.admit(request, "read");
    if (ledger !== undefined && isRefusal(ledger)) return ledger;
    try {
      const claim = await this.claims.claim(request);
      return { ...(this.#residence.open()?.stamp() ?? unwritten), claim };
    } catch (error) {
      if (error instanceof WarpError) return refuse(error);
      throw error;
    }
  }
}
