import * as v from "valibot";
import { maxBatchOperations } from "../../runtime/limits.ts";
import { integer, integerText } from "../check.ts";

/** The query of `GET /v1/{space}/operations/{operation}`. */
export const resolveQuery = v.strictObject({
  key: v.optional(v.string()),
  index: v.optional(integerText(0, maxBatchOperations - 1)),
});

/** The body of `POST /v1/{space}/operations/{operation}/seal`. */
export const sealBody = v.strictObject({
  key: v.optional(v.string()),
  index: v.optional(integer(0, maxBatchOperations - 1)),
});
