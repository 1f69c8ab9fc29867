import { WarpError } from "../errors.ts";
import type { LoadClaims } from "../protocol/load-claims.ts";
import { endsClaims } from "../protocol/mutation.ts";
import { checkResolveCount, resolutionOf } from "../protocol/outcomes.ts";
import {
  type CallScope,
  isRefusal,
  type MutateReply,
  type MutateRequest,
  type Refusal,
  type ResolveReply,
  type ResolveRequest,
  type ShardApi,
  type TransactReply,
  type TransactRequest,
  type Verdict,
} from "../protocol/shard-api.ts";
import type { Transaction } from "../protocol/transaction.ts";
import { checkTransactionShape, transactionNames, transactionShard } from "../protocol/transaction-rules.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Admission } from "./admission.ts";
import type { Carrier } from "./follow-slot.ts";
import type { GroupCommit } from "./group-commit.ts";
import { type Attaching, attachingIn, attachingOf, refuseUnasked } from "./lease/attaching.ts";
import type { Joins } from "./lease/joins.ts";
import type { Ledger } from "./ledger.ts";
import { refusing } from "./refusal.ts";
import type { Residence } from "./residence.ts";
import { MutationOperation } from "./strong/operation.ts";
import type { Strong } from "./strong/strong.ts";
import { TransactionOperation } from "./strong/transaction-operation.ts";
import { unwritten } from "./unwritten.ts";
import type { WritePath } from "./write-path.ts";

/** The calls that change keys, and the one that asks what became of them. */
export class WriteCalls implements Pick<ShardApi, "mutate" | "transact" | "resolve">, Carrier {
  readonly #clock: Clock;
  readonly #residence: Residence;
  readonly #commit: GroupCommit;
  readonly #admission: Admission;
  readonly #claims: LoadClaims;
  readonly #strong: Strong;
  readonly #path: WritePath;
  readonly #joins: Joins;

  constructor(
    clock: Clock,
    residence: Residence,
    commit: GroupCommit,
    admission: Admission,
    claims: LoadClaims,
    strong: Strong,
    path: WritePath,
    joins: Joins,
  ) {
    this.#clock = clock;
    this.#residence = residence;
    this.#commit = commit;
    this.#admission = admission;
    this.#claims = claims;
    this.#strong = strong;
    this.#path = path;
    this.#joins = joins;
  }

  async mutate(request: MutateRequest, session?: string): Promise<MutateReply | Refusal> {
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const behind = this.#admission.behind.present;
    const full = behind?.full();
    if (full !== undefined) return full;
    const admit = await this.#attaching(request, attachingIn(request.mutations));
    const reply = await this.#path.take({
      operations: request.mutations.map((mutation) => new MutationOperation(mutation)),
      admit,
      reply: (ledger, verdicts): MutateReply => ({ ...ledger.stamp(), verdicts }),
      writer: this.#strong.nodeOf(session) ?? request.node,
      weight: request.mutations.length,
    });
    if (isRefusal(reply)) return reply;
    this.#endClaims(request, reply);
    return behind === undefined ? reply : await behind.mutated(reply);
  }

  async carry(
    scope: CallScope,
    operations: readonly MutationOperation[],
    admit: (ledger: Ledger) => Ledger | Refusal,
    note: (ledger: Ledger, verdicts: readonly Verdict[]) => void,
  ): Promise<Refusal | undefined> {
    const admitted = await this.#admission.admit(scope, "write", true);
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const full = this.#admission.behind.present?.full();
    if (full !== undefined) return full;
    const done = await this.#path.take({
      operations,
      admit: () => {
        const ledger = this.#residence.admit(scope);
        return isRefusal(ledger) ? ledger : admit(ledger);
      },
      reply: (ledger, verdicts: readonly Verdict[]) => {
        note(ledger, verdicts);
        return { verdicts };
      },
      writer: undefined,
      weight: operations.length,
    });
    if (isRefusal(done)) return done;
    this.#endClaims({ mutations: operations.map(({ mutation }) => mutation) }, done);
    return undefined;
  }

  async transact(request: TransactRequest, session?: string): Promise<TransactReply | Refusal> {
    const { transaction } = request;
    const admitted = await this.#admission.admit(request, "write");
    if (admitted !== undefined && isRefusal(admitted)) return admitted;
    const behind = this.#admission.behind.present;
    const full = behind?.full();
    if (full !== undefined) return full;
    const admit = await this.#attaching(request, attachingOf(transaction));
    const reply = await this.#path.take({
      operations: [new TransactionOperation(transaction)],
      admit: () =>
        refusing(() => {
          const ledger = admit();
          if (isRefusal(ledger)) return ledger;
          checkTransactionShape(transaction);
          checkShard(transaction, ledger.space.shards, request.shard);
          return ledger;
        }),
      reply: (ledger, [verdict]): TransactReply => {
        if (verdict === undefined) throw new WarpError("internal", "a transaction has no verdict");
        return { ...ledger.stamp(), verdict };
      },
      writer: this.#strong.nodeOf(session) ?? request.node,
      weight: transaction.success.length + transaction.failure.length,
    });
    if (isRefusal(reply)) return reply;
    this.#endClaimsOf(reply);
    return behind === undefined ? reply : await behind.transacted(reply);
  }

  async resolve(request: ResolveRequest): Promise<ResolveReply | Refusal> {
    const { opIds, seal = false } = request;
    const ledger = await this.#admission.admit(request, seal ? "write" : "read");
    if (ledger !== undefined && isRefusal(ledger)) return ledger;
    if (ledger === undefined) {
      return refusing(() => {
        checkResolveCount(opIds.length);
        const nowMs = this.#clock.now();
        return { ...unwritten, resolutions: opIds.map((opId) => resolutionOf(opId, undefined, nowMs)) };
      });
    }
    // A commit, though it may write nothing: what arrived before it has its verdict then, and the verdict is durable.
    return await this.#commit.submit(() =>
      refusing(() => {
        const present = this.#residence.admit(request);
        if (isRefusal(present)) return present;
        // A repeat may wait while the verdict is known already.
        const isPending = (opId: string) =>
          present.leases.table.isEndedBy(opId) || (this.#strong.isPending(opId) && !present.knows(opId));
        const resolutions = present.resolver.resolve(opIds, this.#clock.now(), seal, isPending);
        return { ...present.stamp(), resolutions };
      }),
    );
  }

  /** Gives how the request is admitted in its commit, once this shard has joined the leases that its keys are to be attached to. */
  async #attaching(request: CallScope, attaching: readonly Attaching[]): Promise<() => Ledger | Refusal> {
    if (attaching.length === 0) return () => this.#residence.admit(request);
    const unasked = await this.#joins.join(
      attaching.map(({ lease }) => lease),
      request,
    );
    return () => {
      const ledger = this.#residence.admit(request);
      if (isRefusal(ledger)) return ledger;
      const isPending = (opId: string) => this.#strong.isPending(opId);
      return refuseUnasked(attaching, unasked, ledger, isPending) ?? ledger;
    };
  }

  /** Only now, when it is durable: who waited for a load reads what it brought. */
  #endClaims(
    { mutations }: Pick<MutateRequest, "mutations">,
    { verdicts }: Pick<MutateReply, "verdicts">,
  ): void {
    for (const [at, mutation] of mutations.entries()) {
      if (verdicts[at]?.outcome === "ok" && endsClaims(mutation)) this.#claims.end(mutation.key);
    }
  }

  #endClaimsOf({ verdict }: TransactReply): void {
    if (verdict.outcome !== "ok" || verdict.replayed === true) return;
    for (const { kind, key } of verdict.results) if (kind !== "get") this.#claims.end(key);
  }
}

/** Whoever sent it has another picture of the space, or none. */
function checkShard(transaction: Transaction, shards: number, shard: number): void {
  if (transactionNames(transaction).length === 0 || transactionShard(transaction, shards) === shard) return;
  throw new WarpError("cross_shard", "the transaction's keys lie in another shard");
}
