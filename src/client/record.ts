import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import { fromBase64, fromUtf8, toBase64, utf8 } from "../runtime/bytes.ts";

/** The JSON form of a value, as list, batch, import and export have it: see `docs/http.md`. */
export interface ValueRecord {
  readonly contentType?: string;
  readonly json?: unknown;
  readonly text?: string;
  readonly base64?: string;
}

/** The value in a record, byte for byte as it was stored; undefined where there is none. Throws `decode_failed`. */
export function payloadOf(record: ValueRecord): Payload | undefined {
  const { json, text, base64 } = record;
  const contentType = record.contentType ?? "application/octet-stream";
  if (json !== undefined) return { bytes: utf8(JSON.stringify(json)), contentType };
  if (text !== undefined) return { bytes: utf8(text), contentType };
  if (base64 === undefined) return undefined;
  try {
    return { bytes: fromBase64(base64), contentType };
  } catch (cause) {
    throw new WarpError("decode_failed", "the server's answer has malformed base64", { cause });
  }
}

/** A value as a record: JSON that is exactly what `JSON.stringify` writes as `json`, other UTF-8 as `text`, the rest as `base64`. */
export function recordOf(payload: Payload): ValueRecord {
  const { bytes, contentType } = payload;
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    return { contentType, base64: toBase64(bytes) };
  }
  if (/^application\/(?:[^;]*\+)?json(?:\s*;|$)/i.test(contentType)) {
    const parsed = parse(text);
    if (parsed !== undefined && JSON.stringify(parsed) === text) return { contentType, json: parsed };
  }
  return { contentType, text };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
