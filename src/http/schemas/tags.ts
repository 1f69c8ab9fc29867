import * as v from "valibot";
import { isWellFormed, utf8Length } from "../../runtime/bytes.ts";
import { maxTagBytes, maxTags } from "../../runtime/limits.ts";

const one = v.pipe(
  v.string(),
  v.check(
    (tag) => tag !== "" && isWellFormed(tag) && utf8Length(tag) <= maxTagBytes,
    `must be of 1 to ${maxTagBytes} bytes of UTF-8 each`,
  ),
);

/** Tags of a value: at most 16 different ones of 1 to 128 bytes. */
export const tagList = v.pipe(
  v.array(one),
  v.maxLength(maxTags, `must have at most ${maxTags} items`),
  v.check((tags) => new Set(tags).size === tags.length, "must not have a tag twice"),
);

/** The same, separated by commas, as a query has them. Tags that hold a comma go through `batch`. */
export const tagsText = v.pipe(
  v.string(),
  v.transform((text) => text.split(",")),
  tagList,
);
