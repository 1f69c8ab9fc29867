import { WarpError } from "../errors.ts";

/**
 * Whether a URL's path can't carry `key`: clients and proxies drop the segments `.` and `..`, percent-encoded or not. Such keys go through
 * `batch`.
 */
export function hasDotSegment(key: string): boolean {
  return /(?:^|\/)\.{1,2}(?:\/|$)/.test(key);
}

/**
 * `/v1/{space}/{resource}/{name}`, the name encoded so that it is one segment. Throws `unsupported` for the names `.` and `..`, which no URL
 * can carry, `invalid_encoding` for a lone surrogate.
 */
export function resourcePath(space: string, resource: string, name: string): string {
  if (name === "." || name === "..") {
    throw new WarpError("unsupported", `no URL can carry the name "${name}"`);
  }
  return `${spacePath(space)}/${resource}/${encode(name)}`;
}

/** `/v1/{space}`. Throws as {@link resourcePath} does. */
export function spacePath(space: string): string {
  if (space === "." || space === "..") throw new WarpError("invalid_space", "the space's name is malformed");
  return `/v1/${encode(space)}`;
}

/** `?a=1&b=2` of what is not undefined; empty where nothing is. */
export function queryText(
  parameters: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const parts = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encode(String(value))}`],
  );
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

function encode(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch (cause) {
    throw new WarpError("invalid_encoding", "the name has a lone surrogate; names are UTF-8", { cause });
  }
}
