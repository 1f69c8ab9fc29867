import type { Mutant } from "./mutant.ts";

/** Bugs of sessions: pushes, acknowledgements, node leases as nodes count them, the hub. */
export const sessionMutants: readonly Mutant[] = [
  {
    name: "acknowledged and not done",
    file: "src/connection/socket/deliver.ts",
    find: "return [...listeners].map((listener) => listener.invalidate({ shard, ...invalidation }));",
    replace: "return [];",
    what: "a node acknowledges an invalidation before its copy is gone",
    shape: "holders",
  },
  {
    name: "lease counted from receipt",
    file: "src/connection/socket/node-lease.ts",
    find: "this.#untilMs = Math.max(this.#untilMs, sentAtMs + leaseMs",
    replace: "this.#untilMs = Math.max(this.#untilMs, this.#elapsed.now() + leaseMs",
    what: "a node counts its lease from the answer, not from its request",
    shape: "lease over a slow link",
  },
  {
    name: "served without a lease",
    file: "src/core/freshness.ts",
    find: "return tenure !== undefined && this.#tenures.isLive(shard ?? adapter.shardOf(key), tenure, nowMs);",
    replace: "return tenure !== undefined;",
    what: "a node serves a strong copy after its lease is over",
    shape: "lease end",
  },
  {
    name: "tenure outlives its session",
    file: "src/connection/socket/shard-link.ts",
    find: "if (lease === undefined || lease.tenure !== tenure) return Number.NEGATIVE_INFINITY;",
    replace: "if (lease === undefined) return Number.NEGATIVE_INFINITY;",
    what: "copies that were held under an earlier session are served under the present one",
    shape: "reconnect",
  },
  {
    name: "push proves the log",
    file: "src/core/push-intake.ts",
    find: "if (outdating === undefined) view.appliedThrough(after, to);",
    replace:
      "view.provenAtMs = this.#parts.clock.now();\n    if (outdating === undefined) view.appliedThrough(after, to);",
    what: "a push counts as proof of freshness, however long it was on its way",
    shape: "late",
  },
  {
    name: "hole in pushes ignored",
    file: "src/core/known-ranges.ts",
    find: "if (this.#ranges.length === 0 && after <= applied) return Math.max(applied, to);",
    replace: "return Math.max(applied, to);",
    what: "the followed position moves over entries that were never pushed",
    shape: "idle",
  },
  {
    name: "entry left out of a page",
    file: "src/shard/published-log.ts",
    find: "const found = log.since(after, maxPushEntries + 1);",
    replace: "const found = log.since(after + (after % 7 === 0 ? 1 : 0), maxPushEntries + 1);",
    what: "a push leaves out its first entry now and then",
  },
  {
    name: "sleeper trusted at once",
    file: "src/shard/strong/leases.ts",
    find: "const state = newSession(Number.POSITIVE_INFINITY);",
    replace: "const state = newSession(none);",
    what: "a session that an instance finds when it wakes gets a lease without having dropped what it held",
    shape: "sleep",
  },
];
