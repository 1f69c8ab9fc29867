import * as v from "valibot";
import { check } from "./check.ts";
import type { JsonObject } from "./record.ts";
import { tagList } from "./schemas/tags.ts";

const member = v.strictObject({ tags: tagList });

/** `tags` of a record, as an option of its write. Throws `invalid_argument`. */
export function readTags(record: JsonObject): { readonly tags?: readonly string[] } {
  return record.tags === undefined ? none : check(member, { tags: record.tags }, "body");
}

const none: { readonly tags?: readonly string[] } = {};
