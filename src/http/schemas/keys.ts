import * as v from "valibot";
import { maxExpiresInMs, minExpiresInMs } from "../../runtime/limits.ts";
import { booleanText, integerText } from "../check.ts";
import { parseTime } from "../time.ts";
import { tagsText } from "./tags.ts";

const time = v.pipe(
  v.string(),
  v.check(
    (text) => parseTime(text) !== undefined,
    "must be a time in ISO 8601 with its zone, such as 2026-11-22T10:00:00Z, or in Unix ms",
  ),
  v.transform((text) => parseTime(text) ?? 0),
  v.description("Reads the version that was present then: ISO 8601 with its zone, or Unix ms."),
);

/** The query of `GET /v1/{space}/keys/{key}`. */
export const getKeyQuery = v.strictObject({
  version: v.optional(
    v.pipe(integerText(1, Number.MAX_SAFE_INTEGER), v.description("Reads this kept version.")),
  ),
  at: v.optional(time),
  allowStale: v.optional(
    v.pipe(booleanText, v.description("Takes a copy in its grace at once; the answer is marked stale.")),
  ),
});

const written = {
  expiresInMs: v.optional(
    v.pipe(
      integerText(minExpiresInMs, maxExpiresInMs),
      v.description("Ends the value after this time; without it the value stays until it is deleted."),
    ),
  ),
  tags: v.optional(
    v.pipe(tagsText, v.description("Up to 16 tags, separated by commas: copies can be invalidated by them.")),
  ),
  lease: v.optional(
    v.pipe(
      v.string(),
      v.description("Attaches the key to this live lease in the same commit; wants the verb `delete`, too."),
    ),
  ),
};

/** The query of `PUT /v1/{space}/keys/{key}`. */
export const putKeyQuery = v.strictObject({
  ...written,
  replace: v.optional(
    v.pipe(
      booleanText,
      v.description("Replaces the value also where the key's registration has a merge rule."),
    ),
  ),
});

/** The query of `POST /v1/{space}/keys/{key}`. */
export const mergeKeyQuery = v.strictObject(written);
