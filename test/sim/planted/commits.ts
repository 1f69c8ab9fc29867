import type { Mutant } from "./mutant.ts";

/** Bugs of transactions, merges, and of what is kept under op ids. */
export const commitMutants: readonly Mutant[] = [
  {
    name: "page of changes cuts a revision",
    file: "src/shard/change-log.ts",
    find: "if (last !== undefined && rows.length >= limit) {",
    replace: "if (last !== undefined && rows.length > limit) {",
    also: [
      {
        file: "src/runtime/limits.ts",
        find: "export const maxChangesLimit = 10_000;",
        replace: "export const maxChangesLimit = 4;",
      },
    ],
    what: "a page of the log ends in the midst of a transaction, and the next one begins after it",
    shape: "eventual transactions",
  },
  {
    name: "transaction invalidates its first key",
    file: "src/shard/strong/transaction-operation.ts",
    find: "return { ...nothing, keys: changed.map(({ key }) => key) };",
    replace: "return { ...nothing, keys: changed.map(({ key }) => key).slice(0, 1) };",
    what: "holders of the other keys of a transaction are not told before it commits",
    shape: "strong transactions",
  },
  {
    name: "repeated transaction executes again",
    file: "src/shard/transactor.ts",
    find: "verdicts.keep(transaction.opId, nowMs, { print: known.print, verdict: keptVerdict(verdict) });",
    replace: "",
    what: "a transaction's verdict is not kept under its op id",
    shape: "strong transactions",
  },
  {
    name: "merge on the value in L1",
    file: "src/core/mutations.ts",
    find: `const wish = {
      kind: "merge",
      key,
      operand: codec.encode(operand),`,
    replace: `const copy = this.#parts.cache.inspect(key, this.#parts.clock.now());
    const wish = {
      ...(copy === undefined
        ? { kind: "merge", operand: codec.encode(operand) }
        : { kind: "set", payload: codec.encode(codec.decode(copy.payload) + operand), replace: true }),
      key,`,
    what: "a node adds to the copy that it holds and writes the sum",
    shape: "sums",
  },
  {
    name: "seal not kept",
    file: "src/shard/resolver.ts",
    find: "this.#verdicts.keep(opId, nowMs, sealedOutcome);",
    replace: "",
    what: "an op id is settled as not done, and a late copy of it is carried out",
    shape: "overdue",
  },
];
