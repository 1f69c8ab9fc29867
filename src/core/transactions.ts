import type { OperationResult, TransactionAnswer } from "../adapter/adapter.ts";
import { isWarpError, WarpError } from "../errors.ts";
import { formatCursor, formatETag, type Position } from "../protocol/position.ts";
import { checkTransactionShape, isOfKey, transactionKeys } from "../protocol/transaction-rules.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import type { Alignment } from "./alignment.ts";
import { callOptions } from "./call.ts";
import type { Conditions } from "./conditions.ts";
import { OpIds } from "./draft.ts";
import type { Follower } from "./follower.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import type { Registry } from "./registry.ts";
import {
  changeOf,
  type Drafted,
  keyOf,
  operationOf,
  type Plan,
  type PlannedOperation,
  type PlannedRead,
  transactionOf,
} from "./transaction-plan.ts";
import type {
  CommitOptions,
  TransactionRead,
  TransactionResult,
  TransactionStep,
} from "./transaction-types.ts";
import { tell, withOpId } from "./written.ts";

type OkVerdict = Extract<TransactionAnswer["verdict"], { outcome: "ok" }>;
type ReadResult = Extract<OperationResult, { kind: "get" }>;

/** Carries out transactions at the authority, then brings this node's L1 in line with what they did (rule CO4). */
export class Transactions {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #follower: Follower;
  readonly #conditions: Conditions;
  readonly #alignment: Alignment;

  constructor(
    parts: Parts,
    registry: Registry,
    follower: Follower,
    conditions: Conditions,
    alignment: Alignment,
  ) {
    this.#parts = parts;
    this.#registry = registry;
    this.#follower = follower;
    this.#conditions = conditions;
    this.#alignment = alignment;
  }

  /** Throws what is refused as a whole, and with `orFail` comparisons that do not hold. */
  async run(plan: Plan, options: CommitOptions | undefined): Promise<TransactionResult> {
    this.#parts.lifetime.check();
    checkCallLimits(options);
    const opIds = new OpIds(this.#parts, options);
    const opId = opIds.single();
    const outline = transactionOf(plan, opId);
    checkTransactionShape(outline);
    const keys = transactionKeys(outline);
    const waiting = this.#registry.ready(options);
    if (waiting !== undefined) await waiting;
    // One key without a registration in a strict space refuses the whole before anything is sent.
    for (const key of keys) this.#registry.resolve(key);
    const draft = (operations: readonly PlannedOperation[]): Promise<readonly Drafted[]> =>
      Promise.all(operations.map((one) => this.#draft(one, opId, opIds.callOpId, options)));
    const [success, failure] = await Promise.all([draft(plan.success), draft(plan.failure)]);
    const begun = this.#parts.moments.mark();
    let answer: TransactionAnswer;
    try {
      answer = await this.#parts.adapter.transact(
        { opId, compare: plan.compare, success: success.map(operationOf), failure: failure.map(operationOf) },
        callOptions(options),
      );
    } catch (error) {
      if (isWarpError(error) && error.outcome === "fail") throw error;
      for (const one of [...success, ...failure]) {
        if ("draft" in one) await this.#alignment.lost(one.draft, error);
      }
      throw withOpId(error, opIds.callOpId);
    }
    const { verdict, asOf } = answer;
    if (verdict.outcome === "fail") {
      await this.#alignment.judged(keys, asOf, begun);
      throw WarpError.fromData(verdict.error);
    }
    const results = await this.#take(plan, verdict.succeeded ? success : failure, verdict, asOf, begun);
    this.#follower.applied([{ verdict, asOf }], begun);
    if (!verdict.succeeded && options?.orFail === true) {
      throw new WarpError("precondition_failed", "a comparison of the transaction does not hold");
    }
    return {
      succeeded: verdict.succeeded,
      results,
      opId: opIds.callOpId,
      version: verdict.revision,
      cursor: formatCursor(asOf),
      replayed: verdict.replayed === true,
      ...(verdict.storage && { storage: verdict.storage }),
    };
  }

  async #draft(
    operation: PlannedOperation,
    opId: string,
    callOpId: string,
    options: CommitOptions | undefined,
  ): Promise<Drafted> {
    if ("get" in operation) return operation;
    const { wish, ifVersion } = operation;
    const settings = this.#registry.resolve(wish.key);
    const when =
      ifVersion === undefined ? wish.when : await this.#conditions.of(wish.key, ifVersion, settings, options);
    const mutation = changeOf({ ...wish, when }, opId);
    return { draft: { mutation, opId: callOpId, settings, fill: true } };
  }

  /** Takes in what the branch that was taken did. */
  async #take(
    plan: Plan,
    taken: readonly Drafted[],
    verdict: OkVerdict,
    asOf: Position,
    begun: Moment,
  ): Promise<readonly TransactionStep[]> {
    if (!verdict.succeeded) {
      // Who reads and tries again must see what the comparisons saw.
      const done = new Set(taken.map(keyOf));
      const compared = plan.compare.filter(isOfKey).map(({ key }) => key);
      const judged = compared.filter((key) => !done.has(key));
      await this.#alignment.judged(new Set(judged), asOf, begun);
    }
    const steps: TransactionStep[] = [];
    for (const [at, drafted] of taken.entries()) {
      const result = verdict.results[at];
      if ("get" in drafted && result?.kind === "get") {
        if (verdict.replayed !== true)
          await this.#alignment.read(drafted.get, result.entry?.version ?? 0, asOf, begun);
        steps.push(readStep(drafted, result, asOf));
      } else if ("draft" in drafted && result !== undefined && result.kind !== "get") {
        const { key, version, existed, merged } = result;
        const revision = result.kind === "delete" && !existed ? 0 : verdict.revision;
        const marks = { ...(merged && { merged }), ...(verdict.replayed && { replayed: verdict.replayed }) };
        const written = { outcome: "ok", version, revision, existed, ...marks } as const;
        const { draft } = drafted;
        await this.#alignment.answered(draft, { key, opId: draft.opId, verdict: written, asOf }, begun);
        tell(this.#parts.emitter, draft, { key, version });
        const etag = version === 0 ? undefined : formatETag(asOf.epoch, version);
        steps.push({ op: result.kind, key, version, etag, existed });
      } else throw new WarpError("internal", "an operation of a transaction was left unanswered");
    }
    return steps;
  }
}

function readStep(
  { get: key, codec }: PlannedRead,
  { entry, omitted }: ReadResult,
  asOf: Position,
): TransactionRead<unknown> {
  if (omitted === true) return { op: "get", key, value: undefined, version: 0, etag: undefined, omitted };
  if (entry === null) return { op: "get", key, value: undefined, version: 0, etag: undefined };
  const { payload, version, modifiedAtMs, expiresInMs, tags } = entry;
  return {
    op: "get",
    key,
    // When it is asked for: the transaction is done, and a value that can't be decoded must not make it look as if it were not.
    get value() {
      return codec.decode(payload);
    },
    version,
    etag: formatETag(asOf.epoch, version),
    contentType: payload.contentType,
    modifiedAtMs,
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...(tags === undefined ? {} : { tags }),
  };
}
