import type { TransactionResult, TransactionStep, Warp } from "../../../src/index.ts";
import type { Action, Step, Value } from "../check/history.ts";
import type { Done } from "./attempts.ts";
import type { PlannedCall } from "./plan.ts";

type Planned = Extract<PlannedCall, { do: "transaction" }>;

/** What was last seen of a key. */
export interface Seen {
  readonly value: Value;
  readonly version: number;
}

/** What a planned transaction will do, given what was seen; its reads are not known yet. */
export function transactionAction(planned: Planned, value: number, seen: ReadonlyMap<string, Seen>): Action {
  const { compare, write, remove, keys, read, otherwise } = planned;
  const reads = (list: readonly string[]): Step[] => list.map((key) => ({ do: "read", key, value: null }));
  return {
    when: compare.flatMap((key) => {
      const last = seen.get(key);
      return last === undefined ? [] : [{ key, is: last.value }];
    }),
    success: [
      ...write.map((key, at): Step => ({ do: "write", key, value: value + at })),
      ...remove.map((key): Step => ({ do: "write", key, value: null })),
      ...reads(read),
    ],
    failure:
      otherwise === "nothing"
        ? []
        : otherwise === "read"
          ? reads(keys)
          : keys.slice(0, 1).map((key): Step => ({ do: "write", key, value: value + 5 })),
    took: undefined,
  };
}

/** Carries it out at a node; the action comes back as the answer tells it. */
export async function commitTransaction(
  warp: Warp,
  action: Action,
  seen: ReadonlyMap<string, Seen>,
  byVersion: boolean,
  options: { readonly opId: string; readonly timeoutMs: number },
): Promise<Done> {
  const building = warp.txn();
  for (const { key, is } of action.when) {
    if (byVersion) building.compare(key, { version: seen.get(key)?.version ?? 0 });
    else if (is === null) building.compare(key, { exists: false });
    else building.compare(key, { value: is });
  }
  const add = (steps: readonly Step[]): void => {
    for (const one of steps) {
      if (one.do === "read") building.get(one.key);
      else if (one.do === "write" && one.value === null) building.delete(one.key);
      else if (one.do === "write") building.set(one.key, one.value);
    }
  };
  add(action.success);
  if (action.failure.length > 0) {
    building.otherwise();
    add(action.failure);
  }
  const result = (await building.commit(options)) as TransactionResult<
    readonly TransactionStep[],
    readonly TransactionStep[]
  >;
  const branch = result.succeeded ? "success" : "failure";
  const told = action[branch].map((one, at) => withAnswer(one, result.results[at]));
  return {
    action: { ...action, [branch]: told, took: action.when.length === 0 ? undefined : result.succeeded },
    version: result.version,
    cursor: result.cursor,
  };
}

function withAnswer(one: Step, answer: TransactionStep | undefined): Step {
  if (answer === undefined) throw new Error("a transaction left an operation unanswered");
  if (one.do === "read" && answer.op === "get")
    return { ...one, value: (answer.value as Value | undefined) ?? null };
  if (one.do === "write" && answer.op !== "get") return { ...one, existed: answer.existed };
  return one;
}

/** An action of unknown fate: what its reads saw is not known, so they don't count. */
export function withoutReads(action: Action): Action {
  const writes = (steps: readonly Step[]): Step[] => steps.filter((one) => one.do !== "read");
  return { ...action, success: writes(action.success), failure: writes(action.failure) };
}
