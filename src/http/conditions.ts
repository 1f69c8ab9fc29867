import { WarpError } from "../errors.ts";
import type { Precondition } from "../protocol/shard-api.ts";
import { maxEntityTags } from "../runtime/limits.ts";

/** The tags of one header: all, or a list of which some are weak. */
type TagList = "*" | readonly { readonly tag: string; readonly weak: boolean }[];

const tagForm = /[ \t]*(W\/)?"([\x21\x23-\x7e\x80-\uffff]*)"[ \t]*(?:,|$)/y;
const emptyForm = /[ \t]*,/y;

/** Parses `If-Match` or `If-None-Match` (RFC 9110, section 13.1). Throws `invalid_argument` that names the header. */
function parseTags(header: string, name: string): TagList {
  const text = header.trim();
  if (text === "*") return "*";
  const tags: { tag: string; weak: boolean }[] = [];
  for (let at = 0; at < text.length; ) {
    tagForm.lastIndex = at;
    const match = tagForm.exec(text);
    if (match !== null) {
      tags.push({ tag: match[2] ?? "", weak: match[1] !== undefined });
      at = tagForm.lastIndex;
    } else {
      emptyForm.lastIndex = at;
      if (!emptyForm.test(text)) {
        throw new WarpError("invalid_argument", `${name} must be * or a list of quoted entity tags`, {
          details: { header: name },
        });
      }
      at = emptyForm.lastIndex;
    }
    if (tags.length > maxEntityTags) {
      throw new WarpError("invalid_argument", `${name} has more than ${maxEntityTags} entity tags`);
    }
  }
  if (tags.length === 0) throw new WarpError("invalid_argument", `${name} is empty`);
  return tags;
}

/** Tags for a strong comparison: a weak one never matches. */
function strongTags(list: TagList): "*" | readonly string[] {
  return list === "*" ? "*" : list.filter((item) => !item.weak).map((item) => item.tag);
}

/** The precondition of a mutation. Throws `invalid_argument` if both headers are there. */
export function mutationCondition(headers: Headers): Precondition | undefined {
  const match = headers.get("If-Match");
  const noneMatch = headers.get("If-None-Match");
  if (match !== null && noneMatch !== null) {
    throw new WarpError("invalid_argument", "If-Match and If-None-Match can't stand together");
  }
  if (match !== null) return { anyOf: strongTags(parseTags(match, "If-Match")) };
  if (noneMatch === null) return undefined;
  const list = parseTags(noneMatch, "If-None-Match");
  return { noneOf: list === "*" ? "*" : list.map((item) => item.tag) };
}

/**
 * What a read's conditions come to, for a key with this tag (undefined: the key is absent): go on, `304` or `412`.
 */
export function readCondition(
  match: string | null,
  noneMatch: string | null,
  etag: string | undefined,
): "go on" | "not modified" | "failed" {
  if (match !== null) {
    const tags = strongTags(parseTags(match, "If-Match"));
    if (etag === undefined || (tags !== "*" && !tags.includes(etag))) return "failed";
  }
  if (noneMatch !== null) {
    const list = parseTags(noneMatch, "If-None-Match");
    if (etag !== undefined && (list === "*" || list.some((item) => item.tag === etag))) return "not modified";
  }
  return "go on";
}

/** The one strong tag of `If-Match`, as the number it is. Throws `invalid_version` where it is no version. */
export function versionCondition(headers: Headers): number | undefined {
  const match = headers.get("If-Match");
  if (match === null) return undefined;
  const list = parseTags(match, "If-Match");
  const only = list === "*" || list.length !== 1 ? undefined : list[0];
  if (only === undefined || only.weak || !/^[1-9][0-9]{0,15}$/.test(only.tag)) {
    throw new WarpError(
      "invalid_version",
      'If-Match must be one registration version in quotes, such as "7"',
    );
  }
  const version = Number(only.tag);
  if (!Number.isSafeInteger(version)) throw new WarpError("invalid_version", "the version is out of range");
  return version;
}
