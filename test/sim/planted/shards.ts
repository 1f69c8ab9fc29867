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
    name: "ended value served",
    file: "src/shard/key-table.ts",
    find: "if (expiresAt !== null && expiresAt <= nowMs) return undefined;",
    replace: "",
    what: "a value is given after its end, until a commit or the alarm removes it",
  },
];
