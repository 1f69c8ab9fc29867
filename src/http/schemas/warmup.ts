import * as v from "valibot";
import { maxTokenScopes } from "../../runtime/limits.ts";
import { integer } from "../check.ts";

/** The body of `POST /v1/{space}/warmup`. */
export const warmupBody = v.strictObject({
  /** Exact keys or prefixes that end in `*`; without them every registered pattern. */
  patterns: v.optional(
    v.pipe(
      v.array(v.string()),
      v.minLength(1, `must have 1 to ${maxTokenScopes} items`),
      v.maxLength(maxTokenScopes, `must have 1 to ${maxTokenScopes} items`),
    ),
  ),
  /** Loads at once. */
  width: v.optional(integer(1, 64)),
  /** Most keys. */
  limit: v.optional(integer(1, Number.MAX_SAFE_INTEGER)),
});
