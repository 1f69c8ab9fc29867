import * as v from "valibot";
import { integer } from "../check.ts";

const conditions = {
  ifMatch: v.optional(v.unknown()),
  ifNoneMatch: v.optional(v.unknown()),
};
const opId = v.optional(v.string());
/** Under which lock: one of the key's shard must be held under this fence, of one elsewhere the key must have seen no higher one. */
const guard = v.optional(v.strictObject({ lock: v.string(), fence: v.number() }));

const value = {
  json: v.optional(v.unknown()),
  text: v.optional(v.string()),
  base64: v.optional(v.string()),
};

const written = {
  key: v.string(),
  ...value,
  contentType: v.optional(v.string()),
  expiresInMs: v.optional(v.number()),
  tags: v.optional(v.array(v.string())),
  lease: v.optional(v.string()),
  ...conditions,
  guard,
};

const get = { op: v.literal("get"), key: v.string() };
const set = { op: v.literal("set"), ...written, replace: v.optional(v.boolean()) };
/** The value members hold the operand. */
const merge = { op: v.literal("merge"), ...written };
const remove = { op: v.literal("delete"), key: v.string(), ...conditions, guard };

/** One operation. What its members mean is looked at one by one, so that each operation gets its own verdict. */
export const batchOperation = v.variant("op", [
  v.strictObject(get),
  v.strictObject({ ...set, opId }),
  v.strictObject({ ...merge, opId }),
  v.strictObject({ ...remove, opId }),
  v.strictObject({ op: v.literal("invalidate"), key: v.string(), opId }),
]);

/** The body of `POST /v1/{space}/batch`. Its items are checked one by one with {@link batchOperation}. */
export const batchBody = v.strictObject({ operations: v.array(v.unknown()) });

/** One operation of a transaction, whose op id is the transaction's. */
export const transactionOperation = v.variant("op", [
  v.strictObject(get),
  v.strictObject(set),
  v.strictObject(merge),
  v.strictObject(remove),
]);

/** One comparison: exactly one of `version`, `exists`, a value, `ifMatch` and `ifNoneMatch` of a key, or the `fence` of a lock, whose name is then the `key`. */
export const comparison = v.strictObject({
  key: v.string(),
  version: v.optional(integer(0, Number.MAX_SAFE_INTEGER)),
  is: v.optional(v.picklist(["equal", "notEqual", "less", "greater"])),
  exists: v.optional(v.boolean()),
  fence: v.optional(v.number()),
  ...value,
  ...conditions,
});

/** The body of `POST /v1/{space}/txn`. */
export const transactionBody = v.strictObject({
  compare: v.optional(v.array(comparison)),
  success: v.optional(v.array(transactionOperation)),
  failure: v.optional(v.array(transactionOperation)),
});
