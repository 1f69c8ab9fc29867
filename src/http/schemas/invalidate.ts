import * as v from "valibot";

const scope = v.optional(v.picklist(["global", "local"]), "global");

/** The body of `POST /v1/{space}/invalidate`: keys, or a prefix (empty: everything). */
export const invalidateBody = v.strictObject({
  keys: v.optional(v.array(v.string())),
  prefix: v.optional(v.string()),
  scope,
});
