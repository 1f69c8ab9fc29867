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
);

/** The query of `GET /v1/{space}/keys/{key}`. */
export const getKeyQuery = v.strictObject({
  version: v.optional(integerText(1, Number.MAX_SAFE_INTEGER)),
  at: v.optional(time),
  allowStale: v.optional(booleanText),
});

const written = {
  expiresInMs: v.optional(integerText(minExpiresInMs, maxExpiresInMs)),
  tags: v.optional(tagsText),
  lease: v.optional(v.string()),
};

/** The query of `PUT /v1/{space}/keys/{key}`. */
export const putKeyQuery = v.strictObject({
  ...written,
  replace: v.optional(booleanText),
});

/** The query of `POST /v1/{space}/keys/{key}`. */
export const mergeKeyQuery = v.strictObject(written);
