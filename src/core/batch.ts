import { WarpError } from "../errors.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { payloadCodec } from "../runtime/codec.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import { OpIds, type Wish } from "./draft.ts";
import type { Settled } from "./loaded.ts";
import type { Parts } from "./parts.ts";
import type { Reader } from "./reader.ts";
import { tooMany } from "./too-many.ts";
import type { BatchOperation, BatchOptions, BatchResult, Lookup } from "./types.ts";
import type { Writer } from "./writer.ts";
import type { Written } from "./written.ts";

interface Placed {
  readonly operation: BatchOperation;
  readonly index: number;
}

/**
 * The steps in which a batch is sent: reads in the even ones, mutations in the odd ones. Mutations keep their order; a read only has
 * to stay between the mutations of its own key, so that most batches take two steps.
 */
export function planSteps(operations: readonly BatchOperation[]): readonly (readonly Placed[])[] {
  const steps: Placed[][] = [];
  const lastOfKey = new Map<string, number>();
  let lastMutation = 1;
  for (const [index, operation] of operations.entries()) {
    const before = lastOfKey.get(operation.key) ?? 0;
    let step: number;
    if (operation.op === "get") step = before + (before % 2);
    else {
      step = Math.max(lastMutation, before + 1 - (before % 2));
      lastMutation = step;
    }
    lastOfKey.set(operation.key, step);
    while (steps.length <= step) steps.push([]);
    steps[step]?.push({ operation, index });
  }
  return steps;
}

/** Carries out a batch: each operation ends in its own result or its own error. Throws only what concerns the caller. */
export async function runBatch(
  parts: Parts,
  reader: Reader,
  writer: Writer,
  operations: readonly BatchOperation[],
  options: BatchOptions | undefined,
): Promise<readonly BatchResult[]> {
  parts.lifetime.check();
  checkCallLimits(options);
  if (operations.length > maxBatchOperations) throw tooMany(operations.length);
  const opIds = new OpIds(parts, options);
  const results: (BatchResult | undefined)[] = operations.map(() => undefined);
  for (const [at, step] of planSteps(operations).entries()) {
    if (step.length === 0) continue;
    if (at % 2 === 0) {
      const keys = step.map(({ operation }) => operation.key);
      const lookups = await reader.each(keys, { codec: payloadCodec }, options);
      for (const { operation, index } of step)
        results[index] = readResult(operation, lookups.get(operation.key));
    } else {
      const settled = await writer.each(
        step.map(({ operation }) => toWish(operation)),
        options,
        opIds,
        (place) => step[place]?.index ?? place,
      );
      for (const [place, { operation, index }] of step.entries()) {
        results[index] = writeResult(operation, settled[place], opIds.callOpId);
      }
    }
  }
  return results.map(
    (result, i) => result ?? failure(operations[i], new WarpError("internal", "left unanswered")),
  );
}

function toWish(operation: BatchOperation): Wish & { readonly opId?: string | undefined } {
  const { op } = operation;
  if (op === "set") {
    const { key, payload, expiresInMs, tags, when, guard, lease, replace, opId } = operation;
    return { kind: "set", key, payload, expiresInMs, tags, when, guard, lease, replace, opId };
  }
  if (op === "merge") {
    const { key, operand, expiresInMs, tags, when, guard, lease, opId } = operation;
    return { kind: "merge", key, operand, expiresInMs, tags, when, guard, lease, opId };
  }
  if (op === "delete") {
    const { key, when, guard, opId } = operation;
    return { kind: "delete", key, when, guard, opId };
  }
  if (op === "invalidate") return { kind: "invalidate", key: operation.key, opId: operation.opId };
  throw new WarpError("internal", "a read is not a mutation");
}

function readResult(operation: BatchOperation, settled: Settled<Lookup<unknown>> | undefined): BatchResult {
  if (settled === undefined || !("value" in settled)) return failure(operation, settled?.error);
  return {
    op: "get",
    lookup: settled.value as Extract<BatchResult, { op: "get"; lookup: unknown }>["lookup"],
  };
}

function writeResult(
  operation: BatchOperation,
  settled: Settled<Written> | undefined,
  callOpId: string,
): BatchResult {
  if (settled !== undefined && "value" in settled && operation.op !== "get") {
    return { op: operation.op, result: settled.value.result };
  }
  const error = settled !== undefined && "error" in settled ? settled.error : undefined;
  const opId = ("opId" in operation ? operation.opId : undefined) ?? callOpId;
  return { ...failure(operation, error), opId };
}

function failure(operation: BatchOperation | undefined, error: unknown) {
  const outcome = operation?.op === "get" ? "fail" : "unknown";
  const data = WarpError.from(error, "internal", "the operation failed", { outcome }).toData();
  return { op: operation?.op ?? ("get" as const), key: operation?.key ?? "", error: data };
}
