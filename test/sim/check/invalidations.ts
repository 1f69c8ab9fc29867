import type { Operation } from "./history.ts";
import type { Violation } from "./violation.ts";

/**
 * Rules ST2, CO9: when an invalidation has been answered, no node serves a copy of a strong key from before it. For one shard, whose positions tell
 * which copies are from before. What another call takes from its holders at the same time is left to that one: it is not judged.
 */
export function checkInvalidations(history: readonly Operation[]): readonly Violation[] {
  const violations: Violation[] = [];
  const hits = history.filter(({ kind, strong, cache }) => kind === "get" && strong && cache === "hit");
  for (const op of history) {
    const { invalidates, asOf: head } = op;
    if (op.outcome !== "ok" || invalidates === undefined || head === undefined) continue;
    const alone = invalidates.filter(
      (key) => !history.some((other) => other !== op && isBeside(other, op, key)),
    );
    const old = hits.find(
      ({ call, keys, asOf = Number.POSITIVE_INFINITY }) =>
        call > op.ret && asOf <= head && alone.includes(keys[0] ?? ""),
    );
    if (old === undefined) continue;
    violations.push({
      rule: "ST2",
      what: `a copy of ${old.keys.join()} of position ${old.asOf} was served after an invalidation begun at ${head} had been answered`,
      operations: [op, old],
    });
  }
  return violations;
}

/** Whether `other` changed or invalidated the key, or may have, while `op` was under way. */
function isBeside(other: Operation, op: Operation, key: string): boolean {
  if (other.kind === "get" || other.call > op.ret || other.ret < op.call) return false;
  return other.keys.includes(key) || other.invalidates?.includes(key) === true;
}
