import * as v from "valibot";
import { maxExpiresInMs, minExpiresInMs } from "../../runtime/limits.ts";
import { integerText } from "../check.ts";

/** The query of `PUT /v1/{space}/keys/{key}`. */
export const putKeyQuery = v.strictObject({
  expiresInMs: v.optional(integerText(minExpiresInMs, maxExpiresInMs)),
});
