import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import type { Core } from "./core.ts";
import type { Reading } from "./entry.ts";
import { changeOf } from "./transaction-plan.ts";
import type { CasOptions } from "./transaction-types.ts";
import type { MutationResult } from "./types.ts";

/** One key, if its stored bytes are `expected` (undefined: if it is absent); else `precondition_failed`. */
export async function compareAndSet<T>(
  { parts, transactions }: Core,
  key: string,
  expected: T | undefined,
  value: T,
  { codec }: Reading<T>,
  options: CasOptions<T> | undefined,
): Promise<MutationResult> {
  parts.lifetime.check();
  checkKey(key);
  const { expiresInMs, tags, guard, lease } = options ?? {};
  const payload = codec.encode(value);
  const comparison =
    expected === undefined ? { key, exists: false } : { key, value: codec.encode(expected).bytes };
  const wish = { kind: "set", key, payload, expiresInMs, tags, guard, lease, replace: true } as const;
  changeOf(wish, "");
  const done = await transactions.run(
    { compare: [comparison], success: [{ wish, ifVersion: undefined }], failure: [] },
    { ...options, orFail: true },
  );
  const [step] = done.results;
  if (step === undefined || step.op === "get") throw new WarpError("internal", "a set was left unanswered");
  const { op: _op, ...written } = step;
  return {
    ...written,
    opId: done.opId,
    cursor: done.cursor,
    replayed: done.replayed,
    ...(done.storage && { storage: done.storage }),
  };
}
