import * as v from "valibot";

const conditions = {
  ifMatch: v.optional(v.unknown()),
  ifNoneMatch: v.optional(v.unknown()),
  opId: v.optional(v.string()),
};

/** One operation. What its members mean is looked at one by one, so that each operation gets its own verdict. */
export const batchOperation = v.variant("op", [
  v.strictObject({ op: v.literal("get"), key: v.string() }),
  v.strictObject({
    op: v.literal("set"),
    key: v.string(),
    json: v.optional(v.unknown()),
    text: v.optional(v.string()),
    base64: v.optional(v.string()),
    contentType: v.optional(v.string()),
    expiresInMs: v.optional(v.number()),
    tags: v.optional(v.array(v.string())),
    ...conditions,
  }),
  v.strictObject({ op: v.literal("delete"), key: v.string(), ...conditions }),
  v.strictObject({ op: v.literal("invalidate"), key: v.string(), opId: v.optional(v.string()) }),
]);

/** The body of `POST /v1/{space}/batch`. Its items are checked one by one with {@link batchOperation}. */
export const batchBody = v.strictObject({ operations: v.array(v.unknown()) });
