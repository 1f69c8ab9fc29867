import { WarpError } from "../errors.ts";
import { maxContentTypeLength } from "../runtime/limits.ts";

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quoted = '"(?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\t \\x21-\\x7e])*"';
const form = new RegExp(`^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|${quoted}))*$`);

/** Whether `text` is a media type that a header can carry (RFC 9110, section 8.3.1), of at most 255 characters. */
export function isContentType(text: string): boolean {
  return text.length <= maxContentTypeLength && form.test(text);
}

/** Throws `unsupported_media_type` unless `text` can be a value's content type. */
export function checkContentType(text: string): string {
  if (!isContentType(text)) {
    throw new WarpError(
      "unsupported_media_type",
      `the content type must be a media type such as application/json, of at most ${maxContentTypeLength} characters`,
    );
  }
  return text;
}

/** The media type without its parameters, in lower case. */
export function essence(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

/** Whether it is JSON: `application/json` or any `+json`. */
export function isJson(contentType: string): boolean {
  const type = essence(contentType);
  return type === "application/json" || type.endsWith("+json");
}
