import { WarpError } from "../errors.ts";
import type { LoadClaims } from "../protocol/load-claims.ts";
import { endsClaims } from "../protocol/mutation.ts";
import {
  isRefusal,
  type MutateReply,
  type MutateRequest,
  type Refusal,
  type ResolveReply,
  type ResolveRequest,
  type ShardApi,
  type TransactReply,
  type TransactRequest,
} from "../protocol/shard-api.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Admission } from "./admission.ts";
import type { GroupCommit } from "./group-commit.ts";
import { refuse } from "./refusal.ts";
import type { Residence } from "./residence.ts";

/** The calls that change keys, and the one that asks what became of them. */
export class WriteCalls implements Pick<ShardApi, "mutate" | "transact" | "resolve"> {
  readonly #clock: Clock;
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #admission: Admission;
  readonly #claims: LoadClaims;

  constructor(
    clock: Clock,
    residence: Residence,
    commit: GroupCommit,
    admission: Admission,
    claims: LoadClaims,
  ) {
    this.#clock = clock;
    this.#residence = residence;
    this.#commit = commit;
    this.#admission = admission;
    this.#claims = claims;
  }

  async mutate(request: MutateRequest): Promise<MutateReply | Refusal> {
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const reply = await this.#commit.submit(() => {
      const ledger = this.#residence.admit(request);
      if (isRefusal(ledger)) return ledger;
      const nowMs = this.#clock.now();
      const verdicts = request.mutations.map((mutation) => ledger.mutator.apply(mutation, nowMs));
      return { ...ledger.stamp(), verdicts };
    }, request.mutations.length);
    if (!isRefusal(reply)) this.#endClaims(request, reply);
    return reply;
  }

  async transact(_request: TransactRequest): Promise<TransactReply | Refusal> {
    return refuse(new WarpError("unsupported", "this shard has no transactions"));
  }

  async resolve(_request: ResolveRequest): Promise<ResolveReply | Refusal> {
    return refuse(new WarpError("unsupported", "this shard can't tell what became of operations"));
  }

  /** Only now, when it is durable: who waited for a load reads what it brought. */
  #endClaims({ mutations }: MutateRequest, { verdicts }: MutateReply): void {
    for (const [at, mutation] of mutations.entries()) {
      if (verdicts[at]?.outcome === "ok" && endsClaims(mutation)) this.#claims.end(mutation.key);
    }
  }
}
