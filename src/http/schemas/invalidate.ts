import * as v from "valibot";
import { maxTags } from "../../runtime/limits.ts";
import { tagList } from "./tags.ts";

const scope = v.optional(v.picklist(["global", "local"]), "global");

/** The body of `POST /v1/{space}/invalidate`: keys, or a prefix (empty: everything), or tags. */
export const invalidateBody = v.strictObject({
  keys: v.optional(v.array(v.string())),
  prefix: v.optional(v.string()),
  tags: v.optional(v.pipe(tagList, v.minLength(1, `must have 1 to ${maxTags} items`))),
  scope,
});
