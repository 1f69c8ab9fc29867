import * as v from "valibot";
import { maxListLimit } from "../../runtime/limits.ts";
import { integer, integerText } from "../check.ts";

/** The query of `GET /v1/{space}/history/{key}`. */
export const historyQuery = v.strictObject({
  before: v.optional(integerText(1, Number.MAX_SAFE_INTEGER)),
  limit: v.optional(integerText(1, maxListLimit)),
});

/** The body of `POST /v1/{space}/restore/{key}`. */
export const restoreBody = v.strictObject({ version: integer(1, Number.MAX_SAFE_INTEGER) });
