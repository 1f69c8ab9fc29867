import type { Mutation } from "../../src/protocol/operation.ts";
import type { KeyComparison, Transaction, TransactionOperation } from "../../src/protocol/transaction.ts";
import { isOfKey } from "../../src/protocol/transaction-rules.ts";
import { fromUtf8 } from "../../src/runtime/bytes.ts";

interface ModelKey {
  readonly version: number;
  readonly text: string;
  /** `Infinity`: never. */
  readonly endsAtMs: number;
}

/** What the model says about an operation: the shard's answer in short form. */
export type Told =
  | { readonly fail: string }
  | {
      readonly succeeded: boolean;
      readonly revision: number;
      readonly results: readonly (string | null | readonly [version: number, existed: boolean])[];
    };

/** A shard as its rules describe it, in the plainest form: one map, one list. Keys with an `n` in their name are summed. */
export class ShardModel {
  readonly keys = new Map<string, ModelKey>();
  readonly log: string[] = [];
  /** Versions of each key: what `history` tells, oldest first. */
  readonly versions = new Map<string, string[]>();
  readonly verdicts = new Map<string, Told>();
  revision = 0;

  /** Ends what is due, earliest first. */
  expire(nowMs: number): void {
    const due = [...this.keys].filter(([, { endsAtMs }]) => endsAtMs <= nowMs);
    due.sort(([a, one], [b, other]) => one.endsAtMs - other.endsAtMs || (a < b ? -1 : 1));
    for (const [key] of due) {
      this.keys.delete(key);
      this.#note(++this.revision, "expire", key);
    }
  }

  mutate(mutation: Extract<Mutation, { kind: "set" | "merge" | "delete" }>, nowMs: number): Told {
    const { opId, ...operation } = mutation;
    return this.transact({ opId, compare: [], success: [operation], failure: [] }, nowMs);
  }

  transact(transaction: Transaction, nowMs: number): Told {
    this.expire(nowMs);
    const known = this.verdicts.get(transaction.opId);
    if (known !== undefined) return known;
    const told = this.#carryOut(transaction, nowMs);
    this.verdicts.set(transaction.opId, told);
    return told;
  }

  #carryOut({ compare, success, failure }: Transaction, nowMs: number): Told {
    const succeeded = compare.filter(isOfKey).every((comparison) => this.#holds(comparison));
    const after = new Map(this.keys);
    const entries: [kind: string, key: string][] = [];
    const results: (string | null | readonly [number, boolean])[] = [];
    for (const operation of succeeded ? success : failure) {
      const { kind, key } = operation;
      const before = after.get(key);
      if (kind === "get") {
        results.push(before?.text ?? null);
        continue;
      }
      if (!allowed(operation, before)) return { fail: "precondition_failed" };
      if (kind === "delete") {
        if (before !== undefined) entries.push(["delete", key]);
        after.delete(key);
        results.push([0, before !== undefined]);
        continue;
      }
      const text = written(operation, before);
      if (typeof text !== "string") return text;
      const merged = key.includes("n") && !(kind === "set" && operation.replace);
      const kept = merged ? (before?.endsAtMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
      const endsAtMs = operation.expiresInMs === undefined ? kept : nowMs + operation.expiresInMs;
      after.set(key, { version: this.revision + 1, text, endsAtMs });
      entries.push(["set", key]);
      results.push([this.revision + 1, before !== undefined]);
    }
    if (entries.length === 0) return { succeeded, revision: 0, results };
    this.revision++;
    this.keys.clear();
    for (const [key, held] of after) this.keys.set(key, held);
    for (const [kind, key] of entries) this.#note(this.revision, kind, key);
    return { succeeded, revision: this.revision, results };
  }

  #note(revision: number, kind: string, key: string): void {
    this.log.push(`${revision} ${kind} ${key}`);
    this.versions.set(key, [...(this.versions.get(key) ?? []), `${revision} ${kind}`]);
  }

  #holds(comparison: KeyComparison): boolean {
    const held = this.keys.get(comparison.key);
    const version = held?.version ?? 0;
    if ("version" in comparison) {
      if (comparison.is === "less") return version < comparison.version;
      if (comparison.is === "greater") return version > comparison.version;
      return (version === comparison.version) === (comparison.is !== "notEqual");
    }
    if ("exists" in comparison) return comparison.exists === (held !== undefined);
    if ("value" in comparison) return held?.text === fromUtf8(comparison.value);
    return "anyOf" in comparison.when ? held !== undefined : held === undefined;
  }
}

/** The tests' preconditions only ask whether the key exists. */
function allowed(
  operation: Exclude<TransactionOperation, { kind: "get" }>,
  before: ModelKey | undefined,
): boolean {
  if (operation.when === undefined) return true;
  return "anyOf" in operation.when ? before !== undefined : before === undefined;
}

function written(
  operation: Extract<TransactionOperation, { kind: "set" | "merge" }>,
  before: ModelKey | undefined,
): string | { readonly fail: string } {
  const text = fromUtf8((operation.kind === "set" ? operation.payload : operation.operand).bytes);
  if (operation.kind === "set" && (operation.replace === true || !operation.key.includes("n"))) return text;
  if (!operation.key.includes("n")) return { fail: "merge_rule_missing" };
  const numbers = [before?.text ?? "0", text].map(Number);
  if (numbers.some(Number.isNaN)) return { fail: "merge_failed" };
  return String(numbers.reduce((a, b) => a + b));
}
