import * as v from "valibot";
import { maxBatchOperations } from "../../runtime/limits.ts";
import { integer, integerText } from "../check.ts";

const key = v.pipe(
  v.string(),
  v.description("A key of the operation, so that only its shard is asked. Default: every shard."),
);
const index = "Which operation of a batch that had this one op id, from 0 on.";

/** The query of `GET /v1/{space}/operations/{operation}`. */
export const resolveQuery = v.strictObject({
  key: v.optional(key),
  index: v.optional(v.pipe(integerText(0, maxBatchOperations - 1), v.description(index))),
});

/** The body of `POST /v1/{space}/operations/{operation}/seal`. */
export const sealBody = v.strictObject({
  key: v.optional(key),
  index: v.optional(v.pipe(integer(0, maxBatchOperations - 1), v.description(index))),
});
