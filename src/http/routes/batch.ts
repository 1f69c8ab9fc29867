import type * as v from "valibot";
import { type Grant, requireKey, requireVerb, type Verb } from "../../auth/grant.ts";
import type { BatchOperation, BatchResult } from "../../core/types.ts";
import { type ErrorData, isWarpError, WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { uuidv7Time } from "../../runtime/ids.ts";
import { maxBatchBytes, maxBatchOperations } from "../../runtime/limits.ts";
import { leaseOf } from "../attached.ts";
import type { Call } from "../call.ts";
import { check } from "../check.ts";
import { guardOf, refuseFence } from "../fence.ts";
import { type JsonObject, readCondition, readExpiry, readValue, remaining, writeValue } from "../record.ts";
import { jsonText, type Route } from "../route.ts";
import { batchBody, batchOperation } from "../schemas/batch.ts";
import { readTags } from "../tags.ts";

const verbOf: Readonly<Record<BatchOperation["op"], Verb>> = {
  get: "read",
  set: "write",
  merge: "write",
  delete: "delete",
  invalidate: "invalidate",
};

type Item = v.InferOutput<typeof batchOperation>;

/** The operation of an item. What is wrong with it is its own verdict. */
function operationOf(item: Item, grant: Grant, maxValueBytes: number): BatchOperation {
  requireVerb(grant, verbOf[item.op]);
  checkKey(item.key);
  requireKey(grant, item.key, "key");
  const { op, key } = item;
  if (op === "get") return { op, key };
  const { opId } = item;
  if (opId !== undefined && uuidv7Time(opId) === undefined) {
    throw new WarpError("invalid_op_id", '"opId" must be a UUIDv7 in lower case');
  }
  const named = opId === undefined ? {} : { opId };
  if (op === "invalidate") return { op, key, ...named };
  const when = readCondition(item as JsonObject);
  const guard = guardOf(item.guard, grant);
  const conditional = { ...named, ...(when === undefined ? {} : { when }), ...guard };
  if (op === "delete") return { op, key, ...conditional };
  const expiresInMs = readExpiry(item as JsonObject);
  const payload = readValue(item as JsonObject, maxValueBytes);
  const written = {
    ...conditional,
    ...readTags(item as JsonObject),
    ...leaseOf(item.lease, grant),
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
  };
  if (op === "merge") return { op, key, operand: payload, ...written };
  return { op, key, payload, ...written, ...(item.replace === undefined ? {} : { replace: item.replace }) };
}

function writeError(op: string, key: string, opId: string | undefined, error: ErrorData): string {
  return JSON.stringify({ op, key, ok: false, opId, error });
}

function writeResult(result: BatchResult): string {
  if ("error" in result) return writeError(result.op, result.key, result.opId, result.error);
  if (result.op !== "get") {
    const { key, version, etag, cursor, opId, existed, replayed, storage, provisional } = result.result;
    if (provisional === true)
      return JSON.stringify({ op: result.op, key, ok: true, version, opId, provisional });
    return JSON.stringify({
      op: result.op,
      key,
      ok: true,
      version,
      etag,
      revision: cursor,
      opId,
      existed,
      replayed,
      storage,
    });
  }
  const { lookup } = result;
  const { key, version, cursor, cache, provisional } = lookup;
  const facts = {
    op: "get",
    key,
    ok: true,
    found: lookup.value !== undefined,
    version,
    revision: provisional === true ? undefined : cursor,
    cache,
    provisional,
  };
  if (lookup.value === undefined) return JSON.stringify(facts);
  const { modifiedAtMs, expiresInMs, tags } = lookup;
  const etag = provisional === true ? undefined : lookup.etag;
  const more = JSON.stringify({ ...facts, etag, modifiedAtMs, tags, expiresInMs: remaining(expiresInMs) });
  return `${more.slice(0, -1)},${writeValue(lookup.value)}}`;
}

/** Structure first: what is malformed refuses the whole batch before anything is done. */
async function itemsOf(call: Call): Promise<Item[]> {
  const { operations } = await call.body(batchBody, { maxBytes: maxBatchBytes });
  if (operations.length === 0) throw new WarpError("invalid_argument", '"operations" is empty');
  if (operations.length > maxBatchOperations) {
    throw new WarpError("batch_too_large", `a batch takes at most ${maxBatchOperations} operations`, {
      details: { count: operations.length, max: maxBatchOperations },
    });
  }
  return operations.map((operation, index) => {
    try {
      return check(batchOperation, operation, "body");
    } catch (error) {
      if (!isWarpError(error)) throw error;
      throw new WarpError(error.code, `operation ${index}: ${error.message}`, {
        details: { ...error.details, operation: index },
      });
    }
  });
}

async function runBatch(call: Call): Promise<Response> {
  const options = call.mutationOptions();
  refuseFence(call.request.headers);
  const items = await itemsOf(call);
  const { maxValueBytes } = call.deployment.config;
  const written: string[] = [];
  const places: number[] = [];
  const operations: BatchOperation[] = [];
  for (const [index, item] of items.entries()) {
    try {
      operations.push(operationOf(item, call.grant, maxValueBytes));
      places.push(index);
    } catch (error) {
      if (!isWarpError(error)) throw error;
      const opId = "opId" in item ? item.opId : undefined;
      written[index] = writeError(item.op, item.key, opId, error.toData());
    }
  }
  const results = operations.length === 0 ? [] : await call.warp.batch(operations, options);
  let bytes = 0;
  for (const [index, result] of results.entries()) {
    const place = places[index];
    const operation = operations[index];
    if (place === undefined || operation === undefined)
      throw new WarpError("internal", "more verdicts than operations");
    if ("lookup" in result) bytes += result.lookup.value?.bytes.byteLength ?? 0;
    written[place] =
      "lookup" in result && bytes > maxBatchBytes
        ? writeError("get", operation.key, undefined, tooMuch)
        : writeResult(result);
  }
  return jsonText(`{"results":[${written.join(",")}]}`);
}

/** A batch's values together are bound like its body is. */
const tooMuch: ErrorData = {
  code: "body_too_large",
  message: `the values of this batch have more than ${maxBatchBytes} bytes; read this key alone`,
  outcome: "fail",
  retryable: false,
};

/** Many operations in one round trip. */
export const batchRoutes: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/{space}/batch",
    access: "space",
    body: batchBody,
    run: runBatch,
  },
];
