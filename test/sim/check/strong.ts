import type { Operation } from "./history.ts";
import { candidatesOf, linearizable } from "./linearize.ts";
import type { Violation } from "./violation.ts";

/** The keys that operations join together, each group with its operations. */
export function components(
  operations: readonly Operation[],
): { readonly keys: readonly string[]; readonly operations: readonly Operation[] }[] {
  const parent = new Map<string, string>();
  const find = (key: string): string => {
    let root = key;
    for (let up = parent.get(root); up !== undefined && up !== root; up = parent.get(root)) root = up;
    parent.set(key, root);
    return root;
  };
  for (const { keys } of operations) {
    const [first] = keys;
    if (first === undefined) continue;
    for (const key of keys) parent.set(find(key), find(first));
  }
  const groups = new Map<string, { keys: Set<string>; operations: Operation[] }>();
  for (const op of operations) {
    const [first] = op.keys;
    if (first === undefined) continue;
    const root = find(first);
    const group = groups.get(root) ?? { keys: new Set<string>(), operations: [] };
    groups.set(root, group);
    for (const key of op.keys) group.keys.add(key);
    group.operations.push(op);
  }
  return [...groups.values()].map((group) => ({ keys: [...group.keys], operations: group.operations }));
}

/** What {@link checkStrong} found, and how much it looked at. */
export interface StrongReport {
  readonly violations: readonly Violation[];
  readonly judged: number;
  readonly undecided: number;
}

/**
 * Rules ST1, TX1, ME1: all changes, and all gets that have to be linearizable, are so, for each group of keys that transactions join. A get
 * that may lag takes no part here: see `eventual.ts`.
 */
export function checkStrong(history: readonly Operation[], maxSteps?: number): StrongReport {
  const violations: Violation[] = [];
  let judged = 0;
  let undecided = 0;
  const relevant = history.filter((op) => op.kind !== "get" || (op.strong && op.stale !== true));
  for (const { keys, operations } of components(relevant)) {
    const taken = candidatesOf(operations);
    judged += taken.length;
    const judge = (list: typeof taken) =>
      linearizable(
        list.map(({ candidate }) => candidate),
        keys,
        maxSteps,
      );
    const judgement = judge(taken);
    if (judgement === "undecided") undecided++;
    if (judgement !== "violation") continue;
    violations.push({
      rule: "ST1",
      what: `the history of ${keys.join(", ")} is not linearizable`,
      operations: shortest(taken, judge).map(({ op }) => op),
    });
  }
  return { violations, judged, undecided };
}

/** The shortest beginning of a history that is wrong already, without the gets whose absence leaves it wrong. */
function shortest<T extends { readonly op: Operation }>(
  taken: readonly T[],
  judge: (list: T[]) => string,
): readonly T[] {
  const byReturn = [...taken].sort((a, b) => a.op.ret - b.op.ret);
  let low = 1;
  let high = byReturn.length;
  // Beginnings in the order of the answers: what was not answered by then may have happened or not.
  const beginning = (count: number): T[] => {
    const last = byReturn[count - 1]?.op.ret ?? 0;
    return taken
      .filter(({ op }) => op.call < last)
      .map((one) => (one.op.ret <= last ? one : unanswered(one)));
  };
  while (low < high) {
    const middle = (low + high) >> 1;
    if (judge(beginning(middle)) === "violation") high = middle;
    else low = middle + 1;
  }
  let kept = beginning(low);
  for (const one of [...kept]) {
    if (one.op.kind !== "get") continue;
    const without = kept.filter((other) => other !== one);
    if (judge(without) === "violation") kept = without;
  }
  return kept;
}

function unanswered<T extends { readonly op: Operation }>(one: T): T {
  const { candidate } = one as unknown as { candidate: object };
  return { ...one, candidate: { ...candidate, ret: Number.POSITIVE_INFINITY } };
}
