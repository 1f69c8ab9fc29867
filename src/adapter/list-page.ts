import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "../runtime/bytes.ts";
import { defaultListLimit, maxListLimit } from "../runtime/limits.ts";
import { checkWhole } from "../runtime/ranges.ts";
import type { ListOptions } from "./adapter.ts";

/** {@link ListOptions} with every default in its place and the cursor read. */
export interface ResolvedList {
  readonly prefix: string;
  readonly limit: number;
  /** The page begins after this key. */
  readonly after: string | undefined;
  readonly values: boolean;
}

/** Throws `invalid_limit`, `invalid_key` for a prefix that no key can have, `invalid_cursor`. */
export function resolveList(options: ListOptions = {}): ResolvedList {
  const { prefix = "", limit = defaultListLimit, cursor, values = false } = options;
  checkWhole("invalid_limit", "limit", limit, 1, maxListLimit);
  if (prefix !== "") checkKey(prefix);
  return { prefix, limit, after: cursor === undefined ? undefined : readListCursor(cursor, prefix), values };
}

/** The opaque cursor of the page after `after` in a list of `prefix`. */
export function listCursor(after: string, prefix: string): string {
  return toBase64Url(utf8(JSON.stringify({ after, prefix })));
}

/**
 * The key that {@link listCursor} was made with. Throws `invalid_cursor` for anything that it did not make, and for a cursor of another
 * prefix. Cursors come from callers, so nothing about them is taken on trust.
 */
export function readListCursor(cursor: string, prefix: string): string {
  const bytes = cursor.length <= 4_096 ? fromBase64Url(cursor) : undefined;
  let content: unknown;
  try {
    content = bytes === undefined ? undefined : JSON.parse(fromUtf8(bytes));
  } catch {
    throw invalidCursor();
  }
  if (typeof content !== "object" || content === null) throw invalidCursor();
  const { after, prefix: made } = content as Record<string, unknown>;
  if (typeof after !== "string" || typeof made !== "string" || listCursor(after, made) !== cursor) {
    throw invalidCursor();
  }
  try {
    checkKey(after);
  } catch {
    throw invalidCursor();
  }
  if (made !== prefix) {
    throw new WarpError("invalid_cursor", "the cursor belongs to a list of another prefix");
  }
  return after;
}

function invalidCursor(): WarpError {
  return new WarpError("invalid_cursor", "a list's cursor is what the page before it gave, unchanged");
}
