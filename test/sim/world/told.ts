import type { Action, Value } from "../check/history.ts";
import type { Done } from "./attempts.ts";

/** An action without a condition. */
export function plainly(step: Action["success"][number]): Action {
  return { when: [], success: [step], failure: [], took: undefined };
}

/** The action as its answer tells it. */
export function told(action: Action | undefined, existed: boolean): Action | undefined {
  if (action === undefined) return undefined;
  const success = action.success.map((step) => (step.do === "write" ? { ...step, existed } : step));
  return { ...action, success, took: action.when.length === 0 ? undefined : true };
}

/** If the key has this value, it gets that one. */
export function conditionally(key: string, is: Value, value: number): Action {
  return { when: [{ key, is }], success: [{ do: "write", key, value }], failure: [], took: undefined };
}

/** What an answer says was done. */
export function doneBy(
  action: Action,
  {
    version,
    existed,
    cursor,
  }: { readonly version: number; readonly existed: boolean; readonly cursor?: string },
): Done {
  return { action: told(action, existed), version, ...(cursor === undefined ? {} : { cursor }) };
}
