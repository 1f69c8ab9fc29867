/** What is checked about watches and publications, whatever the storage holds. */

import { WarpError } from "../errors.ts";
import { utf8 } from "../runtime/bytes.ts";
import { fingerprint } from "../runtime/hash.ts";
import { maxContentTypeLength, maxPublishBytes } from "../runtime/limits.ts";
import { checkKey, checkPrefix } from "./key.ts";
import { valueTooLarge } from "./mutation.ts";
import type { Publication, WatchTarget } from "./watch.ts";

/** Throws `invalid_argument` unless it names either a key or a prefix, `invalid_key`. A target with both has the type, and would end the session that it is sent over. */
export function checkTarget(target: WatchTarget): void {
  const named: object = Object(target);
  if ("key" in named === "prefix" in named) {
    throw new WarpError("invalid_argument", "name either key or prefix", { details: { field: "key" } });
  }
  if ("key" in target) checkKey(target.key);
  else checkPrefix(target.prefix);
}

/** Throws `invalid_key`, `invalid_argument`, `value_too_large` (more than 64 KiB). */
export function checkPublication({ target, payload }: Publication): void {
  checkTarget(target);
  if (payload.bytes.length > maxPublishBytes) throw valueTooLarge(payload.bytes.length, maxPublishBytes);
  if (payload.contentType.length > maxContentTypeLength) {
    throw new WarpError("invalid_argument", `a content type has at most ${maxContentTypeLength} characters`, {
      details: { field: "contentType", max: maxContentTypeLength },
    });
  }
}

/** What tells one publication from another under the same op id. */
export function publicationPrint({ target, payload }: Publication): string {
  const { bytes, contentType } = payload;
  return fingerprint(utf8(JSON.stringify(["publish", target, contentType, fingerprint(bytes)])));
}
