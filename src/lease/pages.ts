import { WarpError } from "../errors.ts";
import { checkLeasePage } from "../protocol/lease-rules.ts";
import { fromBase64Url, fromUtf8, toBase64Url, utf8 } from "../runtime/bytes.ts";
import { defaultListLimit } from "../runtime/limits.ts";

const maxCursorLength = 1_024;

/** A page that was asked for. */
export interface ResolvedPage {
  readonly limit: number;
  /** The page comes after this id or key; undefined: it is the first. */
  readonly after: string | undefined;
}

/** Throws `invalid_limit`, `invalid_cursor`. */
export function resolvePage(
  options: { readonly limit?: number; readonly cursor?: string } = {},
): ResolvedPage {
  const { limit = defaultListLimit, cursor } = options;
  checkLeasePage(limit);
  return { limit, after: cursor === undefined ? undefined : readCursor(cursor) };
}

/** The cursor of the page after `last`. */
export function pageCursor(last: string): string {
  return toBase64Url(utf8(last));
}

/** Cursors come from callers, so nothing about them is taken on trust. */
function readCursor(cursor: string): string {
  const bytes = cursor.length <= maxCursorLength ? fromBase64Url(cursor) : undefined;
  const after = bytes === undefined ? "" : textOf(bytes);
  if (after !== "" && pageCursor(after) === cursor) return after;
  throw new WarpError("invalid_cursor", "this cursor was not made here");
}

/** Empty where it is no UTF-8. */
function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    return "";
  }
}
