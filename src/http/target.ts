import { WarpError } from "../errors.ts";
import { maxKeyBytes } from "../runtime/limits.ts";

/**
 * A request's target, cut out of the raw URL text once and not decoded: keys hold any character, so each part is decoded exactly once, and
 * only where it is used.
 */
export interface Target {
  /** Host and port as sent. */
  readonly authority: string;
  /** From the first slash on, without the query. */
  readonly path: string;
  /** After the question mark; empty if there is none. */
  readonly search: string;
}

/** Cuts `url` into its raw parts. */
export function parseTarget(url: string): Target {
  const scheme = url.indexOf("://");
  const from = scheme < 0 ? 0 : scheme + 3;
  let end = url.indexOf("#", from);
  if (end < 0) end = url.length;
  let query = url.indexOf("?", from);
  if (query < 0 || query > end) query = end;
  let slash = url.indexOf("/", from);
  if (slash < 0 || slash > query) slash = query;
  return {
    authority: url.slice(from, slash),
    path: slash === query ? "/" : url.slice(slash, query),
    search: query === end ? "" : url.slice(query + 1, end),
  };
}

/** The raw path alone: what routes are matched on. */
export function rawPath(url: string): string {
  const scheme = url.indexOf("://");
  const slash = url.indexOf("/", scheme < 0 ? 0 : scheme + 3);
  if (slash < 0) return "/";
  for (let i = slash; i < url.length; i++) {
    const unit = url.charCodeAt(i);
    if (unit === 0x3f || unit === 0x23) return url.slice(slash, i);
  }
  return url.slice(slash);
}

/** Percent-decodes `text` once. Throws `invalid_encoding` where a `%` begins no byte or the bytes are not UTF-8. */
export function decodePart(text: string, what: string): string {
  // A raw U+FFFD is what a host makes of raw bytes that are not UTF-8; sent on purpose it arrives as %EF%BF%BD.
  if (text.includes("\ufffd")) {
    throw new WarpError("invalid_encoding", `${what} has bytes that are not UTF-8`);
  }
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new WarpError(
      "invalid_encoding",
      `${what} has an invalid percent-encoding, or one that is not UTF-8`,
      {
        cause,
      },
    );
  }
}

/** Percent-decodes a key or a pattern. One that can't be within the bound is refused before it is decoded. */
export function decodeKey(raw: string, what: "key" | "pattern"): string {
  if (raw.length > 3 * (maxKeyBytes + 1)) {
    throw new WarpError(
      what === "key" ? "invalid_key" : "invalid_pattern",
      `the ${what} is longer than ${maxKeyBytes} bytes`,
    );
  }
  return decodePart(raw, `the ${what}`);
}

/**
 * The parameters of a query, decoded as forms are (`+` is a space, `%2B` a plus). Throws `invalid_encoding`, and
 * `invalid_argument` for a parameter that is there twice.
 */
export function parseQuery(search: string): Record<string, string> {
  const parameters: Record<string, string> = Object.create(null) as Record<string, string>;
  if (search === "") return parameters;
  for (const part of search.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const rawName = equals < 0 ? part : part.slice(0, equals);
    const name = decodePart(rawName.replaceAll("+", " "), "the query");
    if (name in parameters) {
      throw new WarpError("invalid_argument", `the parameter ${shown(name)} is there twice`);
    }
    parameters[name] = equals < 0 ? "" : decodePart(part.slice(equals + 1).replaceAll("+", " "), "the query");
  }
  return parameters;
}

/** A caller's word inside a message: quoted, and cut to 64 characters. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 63)}…` : text);
}
