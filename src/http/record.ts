import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import type { Precondition } from "../protocol/shard-api.ts";
import { fromBase64, fromUtf8, toBase64, utf8, utf8Length } from "../runtime/bytes.ts";
import { maxEntityTags, maxExpiresInMs, minExpiresInMs } from "../runtime/limits.ts";
import { checkContentType, isJson } from "./content-type.ts";
import { shown } from "./target.ts";

/**
 * The one JSON form of values, for list, batch, import and export alike. Exactly one of three members carries the bytes:
 *
 * - `json`: bytes that are exactly what `JSON.stringify` makes of it,
 * - `text`: bytes that are UTF-8,
 * - `base64`: any bytes.
 *
 * `contentType` says what they are. Reading such a record back gives the very same bytes.
 */
export type ValueMember = "json" | "text" | "base64";

const defaultTypes: Readonly<Record<ValueMember, string>> = {
  json: "application/json",
  text: "text/plain; charset=utf-8",
  base64: "application/octet-stream",
};

/** The text of `bytes` if it is UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(bytes);
  } catch {
    return undefined;
  }
}

/** Whether `text` is canonical JSON: what parsing and writing it again gives unchanged. */
function isCanonicalJson(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === text;
  } catch {
    return false;
  }
}

/** `"contentType":…,"json":…` (or `text`, or `base64`) of a payload: JSON members without braces. */
export function writeValue(payload: Payload): string {
  const type = `"contentType":${JSON.stringify(payload.contentType)}`;
  const text = textOf(payload.bytes);
  if (text === undefined) return `${type},"base64":"${toBase64(payload.bytes)}"`;
  // Canonical JSON goes in as it stands; nothing is written a second time.
  if (isJson(payload.contentType) && isCanonicalJson(text)) return `${type},"json":${text}`;
  return `${type},"text":${JSON.stringify(text)}`;
}

/** A JSON object, as parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether it is a JSON object. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const base64Form = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function bytesOf(record: JsonObject, member: ValueMember): Uint8Array {
  const value = record[member];
  if (member === "json") return utf8(JSON.stringify(value));
  if (typeof value !== "string") throw new WarpError("invalid_argument", `"${member}" must be a string`);
  if (member === "base64") {
    if (!base64Form.test(value)) throw new WarpError("invalid_argument", '"base64" is not standard base64');
    return fromBase64(value);
  }
  if (!value.isWellFormed()) throw new WarpError("invalid_argument", '"text" has a lone surrogate');
  return utf8(value);
}

/** The value in a record. Throws `invalid_argument`, `unsupported_media_type`, `value_too_large`. */
export function readValue(record: JsonObject, maxValueBytes: number): Payload {
  const json = record.json !== undefined;
  const text = record.text !== undefined;
  const base64 = record.base64 !== undefined;
  if (Number(json) + Number(text) + Number(base64) !== 1) {
    throw new WarpError("invalid_argument", 'a value is exactly one of "json", "text" and "base64"');
  }
  const member: ValueMember = json ? "json" : text ? "text" : "base64";
  const type = record.contentType;
  if (type !== undefined && typeof type !== "string") {
    throw new WarpError("invalid_argument", '"contentType" must be a string');
  }
  const bytes = bytesOf(record, member);
  if (bytes.byteLength > maxValueBytes) {
    throw new WarpError("value_too_large", `the value has more than ${maxValueBytes} bytes`, {
      details: { maxBytes: maxValueBytes },
    });
  }
  return { bytes, contentType: type === undefined ? defaultTypes[member] : checkContentType(type) };
}

/** `expiresInMs` of a record. Throws `invalid_ttl`. */
export function readExpiry(record: JsonObject): number | undefined {
  const ms = record.expiresInMs;
  if (ms === undefined) return undefined;
  if (typeof ms !== "number" || !Number.isInteger(ms) || ms < minExpiresInMs || ms > maxExpiresInMs) {
    throw new WarpError(
      "invalid_ttl",
      `"expiresInMs" must be a whole number, ${minExpiresInMs} to ${maxExpiresInMs}`,
      {
        details: { field: "expiresInMs", min: minExpiresInMs, max: maxExpiresInMs },
      },
    );
  }
  return ms;
}

/** What is left of a life as answers tell it: whole milliseconds, 0 or more; undefined where it has no end. */
export function remaining(expiresInMs: number | undefined): number | undefined {
  return expiresInMs === undefined ? undefined : Math.max(0, Math.ceil(expiresInMs));
}

/** The key of a record; its own rules are checked by {@link checkKey}. Throws `invalid_key`. */
export function readKey(record: JsonObject): string {
  if (typeof record.key !== "string") throw new WarpError("invalid_key", '"key" must be a string');
  return record.key;
}

/** Throws `invalid_argument` for a member that is not in `known`. */
export function refuseOthers(record: JsonObject, known: ReadonlySet<string>): void {
  for (const name in record) {
    if (!known.has(name)) throw new WarpError("invalid_argument", `unknown member ${shown(name)}`);
  }
}

/** `ifMatch` or `ifNoneMatch` of a record: `"*"` or a list of tags without quotes. Throws `invalid_argument`. */
export function readCondition(record: JsonObject): Precondition | undefined {
  const { ifMatch, ifNoneMatch } = record;
  if (ifMatch === undefined && ifNoneMatch === undefined) return undefined;
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    throw new WarpError("invalid_argument", '"ifMatch" and "ifNoneMatch" can\'t stand together');
  }
  const name = ifMatch === undefined ? "ifNoneMatch" : "ifMatch";
  const tags = record[name];
  const good =
    tags === "*" ||
    (Array.isArray(tags) &&
      tags.length <= maxEntityTags &&
      tags.every((tag) => typeof tag === "string" && tag.length <= 255));
  if (!good) throw new WarpError("invalid_argument", `"${name}" must be "*" or a list of entity tags`);
  const list = tags as "*" | readonly string[];
  return name === "ifMatch" ? { anyOf: list } : { noneOf: list };
}

/** Bytes that a record is charged with in a chunk. */
export function chargeOf(key: string, payload: Payload): number {
  return utf8Length(key) + payload.bytes.byteLength;
}
