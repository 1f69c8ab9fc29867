import { WarpError } from "../errors.ts";
import { equalBytes, utf8 } from "../runtime/bytes.ts";
import { fingerprint } from "../runtime/hash.ts";
import { maxComparisons, maxMutateBytes, maxTransactionOperations } from "../runtime/limits.ts";
import { checkGuard } from "./fence.ts";
import { checkKey, shardOf } from "./key.ts";
import { checkMutation, checkOpId, mutationPrint, preconditionHolds, valueBytesOf } from "./mutation.ts";
import type { Mutation } from "./operation.ts";
import { formatETag } from "./position.ts";
import type { Comparison, KeyComparison, Transaction, TransactionOperation } from "./transaction.ts";

/** An operation of a transaction that changes its key. */
export type TransactionWrite = Exclude<TransactionOperation, { kind: "get" }>;

/**
 * Throws for what is wrong with a transaction wherever it goes (rule TX5): `batch_too_large` for more than 128 comparisons or operations in a
 * branch or more than 16 MiB of values, `duplicate_key`, `invalid_key`, `invalid_argument`, `invalid_version`.
 */
export function checkTransactionShape({ compare, success, failure }: Transaction): void {
  checkCount("compare", compare.length, maxComparisons);
  checkCount("success", success.length, maxTransactionOperations);
  checkCount("failure", failure.length, maxTransactionOperations);
  for (const comparison of compare) checkComparison(comparison);
  for (const branch of [success, failure]) checkBranch(branch);
  const bytes = [...success, ...failure].reduce(
    (total, operation) => total + (operation.kind === "get" ? 0 : valueBytesOf(asMutation(operation, ""))),
    0,
  );
  if (bytes > maxMutateBytes) {
    throw new WarpError("batch_too_large", `a transaction has at most ${maxMutateBytes} bytes of values`, {
      details: { bytes, max: maxMutateBytes },
    });
  }
}

/** What is wrong with a transaction whatever the storage holds, as {@link checkMutation} says of a mutation; undefined: nothing. */
export function checkTransaction(
  transaction: Transaction,
  nowMs: number,
  maxValueBytes: number,
): WarpError | undefined {
  const wrongOpId = checkOpId(transaction.opId, nowMs);
  if (wrongOpId !== undefined) return wrongOpId;
  try {
    checkTransactionShape(transaction);
  } catch (error) {
    if (error instanceof WarpError) return error;
    throw error;
  }
  for (const [branch, operations] of Object.entries({
    success: transaction.success,
    failure: transaction.failure,
  })) {
    for (const [index, operation] of operations.entries()) {
      if (operation.kind === "get") continue;
      const wrong = checkMutation(asMutation(operation, transaction.opId), nowMs, maxValueBytes);
      if (wrong !== undefined) return within(wrong, `${branch}[${index}]`);
    }
  }
  return undefined;
}

/** `error` with the part of the transaction that it is about, such as `success[2]`. */
export function within(error: WarpError, part: string): WarpError {
  return new WarpError(error.code, `${part}: ${error.message}`, {
    outcome: error.outcome,
    retryable: error.retryable,
    details: { ...error.details, part },
  });
}

/** All keys that a transaction names, each once; locks that it compares are none. */
export function transactionKeys({ compare, success, failure }: Transaction): readonly string[] {
  return [...new Set([...compare.filter(isOfKey), ...success, ...failure].map(({ key }) => key))];
}

/** All names that must lie in one shard, each once: the keys, and the locks that it compares. */
export function transactionNames({ compare, success, failure }: Transaction): readonly string[] {
  return [...new Set([...compare, ...success, ...failure].map(({ key }) => key))];
}

/** Whether a comparison is about a key, not about a lock. */
export function isOfKey(comparison: Comparison): comparison is KeyComparison {
  return !("fence" in comparison);
}

/** The shard that all keys of a transaction lie in, and the locks that it compares; 0 for one without any. Throws `cross_shard` (rule TX4). */
export function transactionShard(transaction: Transaction, shards: number): number {
  const [first, ...others] = new Set(transactionNames(transaction).map((name) => shardOf(name, shards)));
  if (others.length === 0) return first ?? 0;
  throw new WarpError(
    "cross_shard",
    "what the transaction names lies in several shards; a common {tag} puts keys and locks together",
    { details: { shards: others.length + 1 } },
  );
}

/** An operation of a transaction as a mutation of its own. */
export function asMutation(operation: TransactionWrite, opId: string): Mutation {
  return { ...operation, opId };
}

/** What tells one transaction from another under the same op id (rule OU2). */
export function transactionPrint({ compare, success, failure }: Transaction): string {
  const comparisons = compare.map(({ key, ...wants }) => [
    key,
    "value" in wants ? ["value", fingerprint(wants.value)] : wants,
  ]);
  const branches = [success, failure].map((operations) =>
    operations.map((operation) =>
      operation.kind === "get" ? ["get", operation.key] : mutationPrint(asMutation(operation, "")),
    ),
  );
  return fingerprint(utf8(JSON.stringify(["transaction", comparisons, branches])));
}

/** Whether a comparison holds for a key as the storage has it (undefined: absent). The value is asked for only where it matters. */
export function comparisonHolds(
  comparison: KeyComparison,
  present: { readonly version: number } | undefined,
  bytesOf: (key: string) => Uint8Array | undefined,
  epoch: string,
): boolean {
  const version = present?.version ?? 0;
  if ("version" in comparison) {
    const { version: wanted, is = "equal" } = comparison;
    if (is === "equal") return version === wanted;
    if (is === "notEqual") return version !== wanted;
    return is === "less" ? version < wanted : version > wanted;
  }
  if ("exists" in comparison) return comparison.exists === (present !== undefined);
  if ("value" in comparison) {
    const value = present === undefined ? undefined : bytesOf(comparison.key);
    return value !== undefined && equalBytes(value, comparison.value);
  }
  return preconditionHolds(comparison.when, present === undefined ? undefined : formatETag(epoch, version));
}

function checkCount(part: string, count: number, max: number): void {
  if (count <= max) return;
  throw new WarpError("batch_too_large", `a transaction has at most ${max} items in ${part}`, {
    details: { part, count, max },
  });
}

const kinds: ReadonlySet<unknown> = new Set(["get", "set", "merge", "delete"]);
const relations: ReadonlySet<unknown> = new Set([undefined, "equal", "notEqual", "less", "greater"]);

function checkComparison(comparison: Comparison): void {
  const wants = ["version", "exists", "value", "when", "fence"].filter((name) => name in comparison);
  if (wants.length !== 1 || ("version" in comparison && !relations.has(comparison.is))) {
    throw new WarpError(
      "invalid_argument",
      "a comparison has one of version (is), exists, value, when and fence",
      { details: { field: "compare" } },
    );
  }
  if (!isOfKey(comparison)) {
    checkGuard({ lock: comparison.key, fence: comparison.fence });
    return;
  }
  checkKey(comparison.key);
  if ("version" in comparison && !(Number.isSafeInteger(comparison.version) && comparison.version >= 0)) {
    throw new WarpError("invalid_version", "a version to compare with is a whole number from 0 (absent) on", {
      details: { field: "compare", min: 0, max: Number.MAX_SAFE_INTEGER },
    });
  }
}

function checkBranch(branch: readonly TransactionOperation[]): void {
  const written = new Set<string>();
  for (const { kind, key } of branch) {
    checkKey(key);
    if (!kinds.has(kind)) {
      throw new WarpError(
        "invalid_argument",
        "an operation of a transaction is a get, set, merge or delete",
        {
          details: { field: "kind" },
        },
      );
    }
    if (kind === "get") continue;
    if (written.has(key)) {
      throw new WarpError("duplicate_key", `a transaction writes each key at most once in a branch: ${key}`, {
        details: { key },
      });
    }
    written.add(key);
  }
}
