import * as v from "valibot";
import { maxKeepBytes, maxThroughTimeoutMs, minThroughTimeoutMs } from "../../runtime/backing-limits.ts";
import { maxShards } from "../../runtime/limits.ts";
import { integer } from "../check.ts";

/** What stands behind the shards of a space. */
export const storageBody = v.strictObject({
  name: v.string(),
  write: v.optional(v.picklist(["behind", "through"]), "behind"),
  throughTimeoutMs: v.optional(integer(minThroughTimeoutMs, maxThroughTimeoutMs)),
  keepBytes: v.optional(integer(0, maxKeepBytes)),
});

/** The body of `PUT /v1/{space}`. */
export const spaceBody = v.strictObject({
  shards: v.optional(integer(1, maxShards)),
  strict: v.optional(v.boolean()),
  storage: v.optional(storageBody),
  fallback: v.optional(v.string()),
});
