import type * as v from "valibot";
import { type Grant, requireKey, requireVerb, type Verb } from "../../auth/grant.ts";
import type { Comparand, TransactionStep } from "../../core/types.ts";
import { WarpError } from "../../errors.ts";
import { checkGuard } from "../../protocol/fence.ts";
import { checkKey } from "../../protocol/key.ts";
import type { Payload } from "../../protocol/payload.ts";
import { within } from "../../protocol/transaction-rules.ts";
import { payloadCodec } from "../../runtime/codec.ts";
import { maxBatchBytes, maxComparisons, maxTransactionOperations } from "../../runtime/limits.ts";
import { leaseOf } from "../attached.ts";
import type { Call } from "../call.ts";
import type { SpaceWarp } from "../deployment.ts";
import { guardOf, refuseFence } from "../fence.ts";
import { type JsonObject, readCondition, readExpiry, readValue, remaining, writeValue } from "../record.ts";
import { jsonText } from "../route.ts";
import { type comparison, transactionBody, type transactionOperation } from "../schemas/batch.ts";
import { readTags } from "../tags.ts";

type Builder = ReturnType<SpaceWarp["txn"]>;
type Operation = v.InferOutput<typeof transactionOperation>;
type Compared = v.InferOutput<typeof comparison>;

const verbOf: Readonly<Record<Operation["op"], Verb>> = {
  get: "read",
  set: "write",
  merge: "write",
  delete: "delete",
};

function checkAccess({ grant }: Call, key: string, verb: Verb): void {
  requireVerb(grant, verb);
  checkKey(key);
  requireKey(grant, key, "key");
}

/** Who compares learns about the key, or about the lock, so that it is a read. */
function checkCompared(call: Call, { key, fence }: Compared): void {
  if (fence === undefined) {
    checkAccess(call, key, "read");
    return;
  }
  requireVerb(call.grant, "read");
  checkGuard({ lock: key, fence });
  requireKey(call.grant, key, "lock");
}

function comparandOf(item: Compared, maxValueBytes: number): Comparand<Payload> {
  const { version, is, exists, fence, json, text, base64, ifMatch, ifNoneMatch } = item;
  const hasValue = json !== undefined || text !== undefined || base64 !== undefined;
  const when = ifMatch !== undefined || ifNoneMatch !== undefined;
  const wants = [version !== undefined, exists !== undefined, fence !== undefined, hasValue, when];
  if (wants.filter(Boolean).length !== 1) {
    throw new WarpError(
      "invalid_argument",
      'a comparison has exactly one of "version", "exists", a value, "ifMatch", "ifNoneMatch" and "fence"',
    );
  }
  if (is !== undefined && version === undefined) {
    throw new WarpError("invalid_argument", '"is" goes with "version" only');
  }
  if (version !== undefined) return is === undefined ? { version } : { version, is };
  if (exists !== undefined) return { exists };
  if (fence !== undefined) return { fence };
  if (hasValue) return { value: readValue(item as JsonObject, maxValueBytes), codec: payloadCodec };
  const condition = readCondition(item as JsonObject);
  if (condition === undefined) throw new WarpError("internal", "a comparison without a condition");
  return { when: condition };
}

function addOperation(builder: Builder, item: Operation, grant: Grant, maxValueBytes: number): void {
  const { key } = item;
  if (item.op === "get") {
    builder.get(key, { codec: payloadCodec });
    return;
  }
  const condition = readCondition(item as JsonObject);
  const only = {
    ...(condition === undefined ? {} : { when: condition }),
    ...guardOf(item.guard, grant),
  };
  if (item.op === "delete") {
    builder.delete(key, only);
    return;
  }
  const payload = readValue(item as JsonObject, maxValueBytes);
  const expiresInMs = readExpiry(item as JsonObject);
  const options = {
    codec: payloadCodec,
    ...readTags(item as JsonObject),
    ...leaseOf(item.lease, grant),
    ...(expiresInMs === undefined ? {} : { expiresInMs }),
    ...only,
  };
  if (item.op === "merge") builder.merge(key, payload, options);
  else
    builder.set(key, payload, item.replace === undefined ? options : { ...options, replace: item.replace });
}

/** Runs `work`, and names the part of the body that a refusal is about. */
function at<T>(part: string, index: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof WarpError ? within(error, `${part}[${index}]`) : error;
  }
}

function checkCount(list: readonly unknown[], max: number, what: string): void {
  if (list.length <= max) return;
  throw new WarpError("batch_too_large", `a transaction takes at most ${max} ${what}`, {
    details: { count: list.length, max },
  });
}

function writeStep(step: TransactionStep, room: number): { readonly text: string; readonly bytes: number } {
  if (step.op !== "get") return { text: JSON.stringify(step), bytes: 0 };
  const { op, key, version, etag, modifiedAtMs, expiresInMs, tags, omitted } = step;
  if (omitted === true) return { text: JSON.stringify({ op, key, omitted }), bytes: 0 };
  const payload = step.value as Payload | undefined;
  const facts = {
    op,
    key,
    found: version > 0,
    version,
    etag,
    modifiedAtMs,
    tags,
    expiresInMs: remaining(expiresInMs),
  };
  if (payload === undefined) return { text: JSON.stringify(facts), bytes: 0 };
  const bytes = payload.bytes.byteLength;
  // It is done, so that it can't be refused any more for what it read.
  if (bytes > room) return { text: JSON.stringify({ ...facts, omitted: true }), bytes: 0 };
  return { text: `${JSON.stringify(facts).slice(0, -1)},${writeValue(payload)}}`, bytes };
}

/** `POST …/txn`. */
export async function runTransaction(call: Call): Promise<Response> {
  const options = call.mutationOptions();
  refuseFence(call.request.headers);
  const {
    compare = [],
    success = [],
    failure,
  } = await call.body(transactionBody, { maxBytes: maxBatchBytes });
  checkCount(compare, maxComparisons, "comparisons");
  checkCount(success, maxTransactionOperations, 'operations in "success"');
  checkCount(failure ?? [], maxTransactionOperations, 'operations in "failure"');
  const { maxValueBytes } = call.deployment.config;
  const builder = call.warp.txn();
  const add = (operations: readonly Operation[], part: string): void => {
    for (const [index, item] of operations.entries()) {
      at(part, index, () => {
        checkAccess(call, item.key, verbOf[item.op]);
        addOperation(builder, item, call.grant, maxValueBytes);
      });
    }
  };
  for (const [index, item] of compare.entries()) {
    at("compare", index, () => {
      checkCompared(call, item);
      builder.compare(item.key, comparandOf(item, maxValueBytes));
    });
  }
  add(success, "success");
  if (failure !== undefined) {
    builder.otherwise();
    add(failure, "failure");
  }
  const { succeeded, results, opId, version, cursor, replayed, storage } = await builder.commit(options);
  let room = maxBatchBytes;
  const written: string[] = [];
  for (const step of results as readonly TransactionStep[]) {
    const { text, bytes } = writeStep(step, room);
    room -= bytes;
    written.push(text);
  }
  const facts = JSON.stringify({ succeeded, version, revision: cursor, opId, replayed, storage });
  return jsonText(`${facts.slice(0, -1)},"results":[${written.join(",")}]}`);
}
