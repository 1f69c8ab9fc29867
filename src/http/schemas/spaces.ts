import * as v from "valibot";
import { maxShards } from "../../runtime/limits.ts";
import { integer } from "../check.ts";

/** The body of `PUT /v1/{space}`. */
export const spaceBody = v.strictObject({
  shards: v.optional(integer(1, maxShards)),
  strict: v.optional(v.boolean()),
});
