import * as v from "valibot";
import { maxListLimit } from "../../runtime/limits.ts";
import { booleanText, integerText } from "../check.ts";

/** The query of `GET /v1/{space}/keys`. */
export const listQuery = v.strictObject({
  prefix: v.optional(v.string(), ""),
  limit: v.optional(integerText(1, maxListLimit)),
  cursor: v.optional(v.string()),
  values: v.optional(booleanText),
});

/** The query of `GET /v1/{space}/export`. */
export const exportQuery = v.strictObject({ prefix: v.optional(v.string(), "") });
