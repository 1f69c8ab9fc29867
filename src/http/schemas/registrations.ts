import * as v from "valibot";
import { maxCacheTtlMs, maxMaxStalenessMs, minCacheTtlMs, minMaxStalenessMs } from "../../runtime/limits.ts";
import { integer } from "../check.ts";

/** The body of `PUT /v1/{space}/registrations/{pattern}`. */
export const registrationBody = v.strictObject({
  mode: v.optional(
    v.picklist(["local", "eventual", "strong", "StrongLocal", "EventualDistributed", "StrongDistributed"]),
  ),
  cacheTtlMs: v.optional(integer(minCacheTtlMs, maxCacheTtlMs)),
  maxStalenessMs: v.optional(integer(minMaxStalenessMs, maxMaxStalenessMs)),
});
