import type { Mutant } from "./mutant.ts";

/** Bugs of the authority. */
export const shardMutants: readonly Mutant[] = [
  {
    name: "replay executes again",
    file: "src/shard/change-log.ts",
    find: "entry.opId ?? null,",
    replace: "null,",
    what: "a repeated op id is carried out a second time",
  },
  {
    name: "comparison skipped",
    file: "src/protocol/plan.ts",
    find: "if (mutation.when !== undefined && !preconditionHolds(mutation.when, etag)) {",
    replace: "if (mutation.when === null) {",
    what: "a compare-and-set writes whatever the key's version is",
  },
  {
    name: "end not kept",
    file: "src/protocol/plan.ts",
    find: "const expiresAtMs = expiresInMs === undefined ? undefined : Math.floor(view.nowMs) + expiresInMs;",
    replace: "const expiresAtMs = undefined;",
    what: "a value lives on after its end",
    shape: "endings",
  },
  {
    name: "merge forgets what is stored",
    file: "src/protocol/plan.ts",
    find: "const payload = view.merge(settings, stored?.payload, operand);",
    replace: "const payload = view.merge(settings, undefined, operand);",
    what: "a merge takes its operand for the whole value",
    shape: "sums",
  },
  {
    name: "half a transaction",
    file: "src/protocol/transaction-plan.ts",
    find: "const done = verdictOf(step.plan, act(step.plan));",
    replace: "const done = verdictOf(step.plan, step === steps[1] ? revision : act(step.plan));",
    what: "the second change of a transaction is left out",
    shape: "strong transactions",
  },
  {
    name: "any comparison will do",
    file: "src/protocol/transaction-plan.ts",
    find: "const succeeded = transaction.compare.every((comparison) =>",
    replace: "const succeeded = transaction.compare.length === 0 || transaction.compare.some((comparison) =>",
    what: "a transaction goes on if one of its comparisons holds",
    shape: "strong transactions",
  },
  {
    name: "transaction leaves old copies",
    file: "src/core/transactions.ts",
    find: "await this.#alignment.answered(draft,",
    replace: "void (draft,",
    what: "a node goes on serving its old copies after its own transaction",
    shape: "eventual transactions",
  },
];
