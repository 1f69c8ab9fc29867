import * as v from "valibot";
import { verbs } from "../../auth/grant.ts";
import { isSubject } from "../../auth/token.ts";
import { maxOnceStreamMs, maxTokenScopes, maxTokenTtlMs, minTokenTtlMs } from "../../runtime/limits.ts";
import { integer } from "../check.ts";

const several = `must have 1 to ${maxTokenScopes} items`;

/** The body of `POST /tokens`. */
export const tokenBody = v.strictObject({
  subject: v.pipe(
    v.string(),
    v.check(isSubject, 'must be 1 to 128 printable ASCII characters, not "admin" or "open"'),
  ),
  spaces: v.pipe(
    v.array(
      v.pipe(
        v.string(),
        v.regex(/^(?:[a-z0-9._-]{1,64}\*?|\*)$/, "must be a space, a prefix* of spaces or *"),
      ),
    ),
    v.minLength(1, several),
    v.maxLength(maxTokenScopes, several),
  ),
  prefixes: v.optional(
    v.pipe(
      v.array(v.pipe(v.string(), v.maxLength(512, "must have at most 512 characters"))),
      v.minLength(1, several),
      v.maxLength(maxTokenScopes, several),
    ),
  ),
  verbs: v.pipe(
    v.array(v.picklist(verbs)),
    v.minLength(1, `must have 1 to ${verbs.length} items`),
    v.maxLength(verbs.length, `must have 1 to ${verbs.length} items`),
  ),
  expiresInMs: v.optional(integer(minTokenTtlMs, maxTokenTtlMs)),
  use: v.optional(v.picklist(["once"])),
  streamMs: v.optional(integer(minTokenTtlMs, maxOnceStreamMs)),
});
