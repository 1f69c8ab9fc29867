import { WarpError } from "../errors.ts";
import { checkLockName, checkLockPrefix } from "../protocol/lock-rules.ts";
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "../runtime/bytes.ts";
import { defaultListLimit, maxListLimit } from "../runtime/limits.ts";
import { checkWhole } from "../runtime/ranges.ts";

/** What a page of names was asked for, with every default in its place. */
export interface ResolvedLockList {
  readonly prefix: string;
  readonly limit: number;
  /** The page comes after this name; undefined: it is the first. */
  readonly after: string | undefined;
}

/** Throws `invalid_limit`, `invalid_argument` for a prefix that no name can have, `invalid_cursor`. */
export function resolveLockList(
  options: { readonly prefix?: string; readonly limit?: number; readonly cursor?: string } = {},
): ResolvedLockList {
  const { prefix = "", limit = defaultListLimit, cursor } = options;
  checkWhole("invalid_limit", "limit", limit, 1, maxListLimit);
  checkLockPrefix(prefix);
  return { prefix, limit, after: cursor === undefined ? undefined : readCursor(cursor, prefix) };
}

/** The opaque cursor of the page after `after` in a list of `prefix`. */
export function lockPageCursor(after: string, prefix: string): string {
  return toBase64Url(utf8(JSON.stringify([after, prefix])));
}

/** Cursors come from callers, so nothing about them is taken on trust. */
function readCursor(cursor: string, prefix: string): string {
  const after = firstOf(cursor);
  try {
    if (after !== undefined && lockPageCursor(after, prefix) === cursor) {
      checkLockName(after);
      return after;
    }
  } catch {
    // As any other cursor that was not made here.
  }
  throw new WarpError("invalid_cursor", "this cursor was not made here, or belongs to another prefix");
}

function firstOf(cursor: string): string | undefined {
  const bytes = cursor.length <= 4_096 ? fromBase64Url(cursor) : undefined;
  if (bytes === undefined) return undefined;
  try {
    const content: unknown = JSON.parse(fromUtf8(bytes));
    const after: unknown = Array.isArray(content) ? content[0] : undefined;
    return typeof after === "string" ? after : undefined;
  } catch {
    return undefined;
  }
}
