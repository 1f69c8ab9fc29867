import type { Comparison } from "../adapter/adapter.ts";
import { WarpError } from "../errors.ts";
import { checkGuard } from "../protocol/fence.ts";
import { checkKey } from "../protocol/key.ts";
import type { Codec } from "../runtime/codec.ts";
import { checkCondition } from "./draft.ts";
import { checkRange } from "./policy.ts";
import { codecOf } from "./readings.ts";
import { changeOf, type PlannedOperation } from "./transaction-plan.ts";
import type {
  CommitOptions,
  Comparand,
  TransactionDeleteOptions,
  TransactionDone,
  TransactionMergeOptions,
  TransactionRead,
  TransactionResult,
  TransactionSetOptions,
  TransactionStep,
  TransactionWrite,
} from "./transaction-types.ts";
import type { Transactions } from "./transactions.ts";

type Steps = readonly TransactionStep[];

/** The builder with one more result in the branch that is being written. */
type With<Then extends Steps, Else extends Steps, In extends "then" | "otherwise", Step> = In extends "then"
  ? TransactionBuilder<[...Then, Step extends TransactionStep ? Step : never], Else, In>
  : TransactionBuilder<Then, [...Else, Step extends TransactionStep ? Step : never], In>;

/**
 * A transaction in the making: all of it takes effect at one revision, or none (rule TX1). Each call adds to this very object and gives it
 * back, its type knowing one more result; what is malformed is thrown at once. Nothing is sent before {@link commit}, which may be called
 * again: with the op id of the first it is the same transaction, without one another.
 */
export class TransactionBuilder<
  Then extends Steps = [],
  Else extends Steps = [],
  In extends "then" | "otherwise" = "then",
> {
  readonly #transactions: Pick<Transactions, "run">;
  readonly #compare: Comparison[] = [];
  readonly #success: PlannedOperation[] = [];
  #failure: PlannedOperation[] | undefined;

  constructor(transactions: Pick<Transactions, "run">) {
    this.#transactions = transactions;
  }

  /** Wants this to hold, of a key or (`fence`) of a lock. Without comparisons a transaction always succeeds. */
  compare<T = unknown>(key: string, comparand: Comparand<T>): this {
    if (this.#failure !== undefined) {
      throw new WarpError("invalid_argument", "comparisons stand before otherwise()");
    }
    this.#compare.push(comparisonOf(key, comparand));
    return this;
  }

  /** Stores a value, as `warp.set` does. */
  set<T = unknown>(
    key: string,
    value: T,
    options?: TransactionSetOptions<T>,
  ): With<Then, Else, In, TransactionWrite> {
    checkCondition(options);
    const { expiresInMs, tags, when, guard, lease, replace, ifVersion } = options ?? {};
    const payload = codecOf(options).encode(value);
    const wish = { kind: "set", key, payload, expiresInMs, tags, when, guard, lease, replace } as const;
    return this.#add({ wish, ifVersion });
  }

  /** Merges an operand into the stored value by the key's rule, as `warp.merge` does. */
  merge<T = unknown>(
    key: string,
    operand: T,
    options?: TransactionMergeOptions<T>,
  ): With<Then, Else, In, TransactionWrite> {
    checkCondition(options);
    const { expiresInMs, tags, when, guard, lease, ifVersion } = options ?? {};
    const wish = {
      kind: "merge",
      key,
      operand: codecOf(options).encode(operand),
      expiresInMs,
      tags,
      when,
      guard,
      lease,
    } as const;
    return this.#add({ wish, ifVersion });
  }

  /** Deletes a key; one that is absent is no error. */
  delete(key: string, options?: TransactionDeleteOptions): With<Then, Else, In, TransactionWrite> {
    checkCondition(options);
    const { when, guard, ifVersion } = options ?? {};
    return this.#add({ wish: { kind: "delete", key, when, guard }, ifVersion });
  }

  /** Reads a key at the authority, at the transaction's own revision. */
  get<T = unknown>(
    key: string,
    options?: { readonly codec?: Codec<T> },
  ): With<Then, Else, In, TransactionRead<T>> {
    checkKey(key);
    return this.#add({ get: key, codec: codecOf(options) as Codec<unknown> });
  }

  /** What follows is done instead if a comparison does not hold. */
  otherwise(): TransactionBuilder<Then, Else, "otherwise"> {
    if (this.#failure !== undefined) throw new WarpError("invalid_argument", "otherwise() stands once");
    this.#failure = [];
    return this as unknown as TransactionBuilder<Then, Else, "otherwise">;
  }

  /**
   * Carries it out. Comparisons that do not hold are no error: `succeeded` says so, and `orFail` makes one of it. Throws what is refused as a
   * whole, with nothing done: `precondition_failed` and `stale_fence` (a condition or a guard of an operation's own), `cross_shard`, `duplicate_key`, `batch_too_large`,
   * `unregistered`, `merge_rule_missing`, `merge_failed`, `quorum_failed`.
   */
  commit(options: CommitOptions & { readonly orFail: true }): Promise<TransactionDone<true, Then>>;
  commit(options?: CommitOptions): Promise<TransactionResult<Then, Else>>;
  async commit(options?: CommitOptions): Promise<TransactionResult<Then, Else>> {
    if (options?.orFail === true && this.#failure !== undefined) {
      throw new WarpError("invalid_argument", "orFail and otherwise() can't stand together", {
        details: { field: "orFail" },
      });
    }
    const plan = {
      compare: [...this.#compare],
      success: [...this.#success],
      failure: [...(this.#failure ?? [])],
    };
    // The results stand in the order of the operations, whose kinds the type has followed.
    return (await this.#transactions.run(plan, options)) as TransactionResult<Then, Else>;
  }

  #add<Step>(operation: PlannedOperation): With<Then, Else, In, Step> {
    if ("wish" in operation) changeOf(operation.wish, "");
    (this.#failure ?? this.#success).push(operation);
    return this as unknown as With<Then, Else, In, Step>;
  }
}

/** Throws `invalid_argument` unless there is exactly one of the five. */
function comparisonOf<T>(key: string, comparand: Comparand<T>): Comparison {
  const kinds = (["version", "exists", "value", "when", "fence"] as const).filter(
    (kind) => kind in comparand,
  );
  if (kinds.length !== 1) {
    throw new WarpError(
      "invalid_argument",
      "compare a key's version, exists, value or when, or a lock's fence: exactly one",
    );
  }
  if ("fence" in comparand) {
    const { fence } = comparand;
    checkGuard({ lock: key, fence });
    return { key, fence };
  }
  checkKey(key);
  if ("version" in comparand) {
    const { version, is } = comparand;
    checkRange("invalid_version", "version", version, 0, Number.MAX_SAFE_INTEGER);
    return is === undefined ? { key, version } : { key, version, is };
  }
  if ("exists" in comparand) return { key, exists: comparand.exists };
  if ("when" in comparand) return { key, when: comparand.when };
  return { key, value: codecOf<T>(comparand).encode(comparand.value).bytes };
}
