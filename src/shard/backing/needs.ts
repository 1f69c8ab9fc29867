import { checkMutation } from "../../protocol/mutation.ts";
import type { Mutation } from "../../protocol/shard-api.ts";
import type { Transaction } from "../../protocol/transaction.ts";
import { asMutation, checkTransaction, isOfKey } from "../../protocol/transaction-rules.ts";
import type { Ledger } from "../ledger.ts";
import type { Operation } from "../strong/operation.ts";
import type { KeyNeed } from "../supply.ts";

/** What an operation needs to know of keys before it can be judged. What has its verdict already needs nothing. */
export function needsOf(operation: Operation<unknown>, ledger: Ledger, nowMs: number): readonly KeyNeed[] {
  const { asked } = operation;
  if (asked === undefined || ledger.knows(operation.opId)) return [];
  return "mutation" in asked
    ? mutationNeeds(asked.mutation, ledger, nowMs)
    : transactionNeeds(asked.transaction, ledger, nowMs);
}

/** Whether it will be refused whatever is stored: nothing is to be read for it. */
export function isMalformed({ asked }: Operation<unknown>, maxValueBytes: number, nowMs: number): boolean {
  if (asked === undefined) return false;
  return "mutation" in asked
    ? checkMutation(asked.mutation, nowMs, maxValueBytes) !== undefined
    : checkTransaction(asked.transaction, nowMs, maxValueBytes) !== undefined;
}

function mutationNeeds(mutation: Mutation, ledger: Ledger, nowMs: number): readonly KeyNeed[] {
  const { kind } = mutation;
  if (kind === "invalidate" || kind === "invalidatePrefix" || kind === "invalidateTag") return [];
  const { key } = mutation;
  const { registrations, history } = ledger;
  const merges = registrations.settings(key)?.merge !== undefined;
  if (kind === "merge" || (kind === "set" && merges && mutation.replace !== true)) {
    return [{ key, what: "value" }];
  }
  if (kind === "restore" && history.isPresent(key, { version: mutation.version }, nowMs)) {
    return [{ key, what: "value" }];
  }
  const needs: KeyNeed[] = mutation.when === undefined ? [] : [{ key, what: "presence" }];
  // What is superseded becomes a kept version, if it can be had. A deletion tells whether there was something.
  if (registrations.history(key) !== undefined) needs.push({ key, what: "value", spare: true });
  else if (kind === "delete") needs.push({ key, what: "presence", spare: true });
  return needs;
}

/** Of both branches: which one is taken is not known yet. */
function transactionNeeds(transaction: Transaction, ledger: Ledger, nowMs: number): readonly KeyNeed[] {
  const { opId, compare, success, failure } = transaction;
  const compared = compare
    .filter(isOfKey)
    .map((one): KeyNeed => ({ key: one.key, what: "value" in one ? "value" : "presence" }));
  const done = [...success, ...failure].flatMap((one): readonly KeyNeed[] =>
    one.kind === "get"
      ? [{ key: one.key, what: "value" }]
      : mutationNeeds(asMutation(one, opId), ledger, nowMs),
  );
  return [...compared, ...done];
}
