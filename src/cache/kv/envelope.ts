import { WarpError } from "../../errors.ts";
import { fromUtf8, utf8 } from "../../runtime/bytes.ts";
import type { CacheEntry } from "../cache.ts";

/** "WK" and the number of the form; another form is not read. */
const magic = 0x574b0001;
const fixedBytes = 8;

/** What stands before the payload, as JSON. The epoch is in the entity tag. A missing end means that there is none. */
interface Head {
  readonly etag: string;
  readonly version: number;
  readonly asOf: number;
  readonly asOfMs: number;
  readonly modifiedAtMs: number;
  readonly contentType: string;
  readonly shard?: number;
  readonly expiresAtMs?: number;
  readonly endsAtMs?: number;
  readonly tags?: readonly string[];
}

/** A copy as bytes: magic, length of the head, head, payload. Numbers are big-endian. */
export function seal(entry: CacheEntry, expiresAtMs: number): ArrayBuffer {
  const head: Head = {
    etag: entry.etag,
    version: entry.version,
    asOf: entry.asOf,
    asOfMs: entry.asOfMs ?? entry.storedAtMs,
    modifiedAtMs: entry.modifiedAtMs,
    contentType: entry.payload.contentType,
    ...(entry.shard === undefined ? {} : { shard: entry.shard }),
    ...(expiresAtMs === Number.POSITIVE_INFINITY ? {} : { expiresAtMs }),
    ...(entry.endsAtMs === Number.POSITIVE_INFINITY ? {} : { endsAtMs: entry.endsAtMs }),
    ...(entry.tags === undefined ? {} : { tags: entry.tags }),
  };
  const headBytes = utf8(JSON.stringify(head));
  const sealed = new Uint8Array(fixedBytes + headBytes.byteLength + entry.payload.bytes.byteLength);
  const view = new DataView(sealed.buffer);
  view.setUint32(0, magic);
  view.setUint32(4, headBytes.byteLength);
  sealed.set(headBytes, fixedBytes);
  sealed.set(entry.payload.bytes, fixedBytes + headBytes.byteLength);
  return sealed.buffer;
}

/** The copy again. Throws `decode_failed` for bytes that are not one. */
export function unseal(sealed: ArrayBuffer): CacheEntry {
  const head = readHead(sealed);
  if (head === undefined) {
    throw new WarpError("decode_failed", "what KV holds under this name is not a copy in a known form");
  }
  const { length, fields } = head;
  return {
    payload: { bytes: new Uint8Array(sealed, fixedBytes + length), contentType: fields.contentType },
    version: fields.version,
    etag: fields.etag,
    ...(fields.shard === undefined ? {} : { shard: fields.shard }),
    asOf: fields.asOf,
    asOfMs: fields.asOfMs,
    modifiedAtMs: fields.modifiedAtMs,
    storedAtMs: fields.asOfMs,
    expiresAtMs: fields.expiresAtMs ?? Number.POSITIVE_INFINITY,
    ...(fields.tags === undefined ? {} : { tags: fields.tags }),
    endsAtMs: fields.endsAtMs ?? Number.POSITIVE_INFINITY,
    decoded: undefined,
    decodedBy: undefined,
  };
}

function readHead(sealed: ArrayBuffer): { readonly length: number; readonly fields: Head } | undefined {
  if (sealed.byteLength < fixedBytes) return undefined;
  const view = new DataView(sealed);
  const length = view.getUint32(4);
  if (view.getUint32(0) !== magic) return undefined;
  let fields: unknown;
  try {
    fields = JSON.parse(fromUtf8(new Uint8Array(sealed, fixedBytes, length)));
  } catch {
    // Cut off, not UTF-8, not JSON: not an envelope. Whoever asked hears that.
    return undefined;
  }
  return isHead(fields) ? { length, fields } : undefined;
}

function isHead(value: unknown): value is Head {
  if (typeof value !== "object" || value === null) return false;
  const head = value as Record<string, unknown>;
  const numbers = [head.version, head.asOf, head.asOfMs, head.modifiedAtMs];
  const maybeNumbers = [head.shard, head.expiresAtMs, head.endsAtMs];
  const { tags } = head;
  return (
    numbers.every((number) => typeof number === "number") &&
    maybeNumbers.every((number) => number === undefined || typeof number === "number") &&
    typeof head.etag === "string" &&
    typeof head.contentType === "string" &&
    (tags === undefined || (Array.isArray(tags) && tags.every((tag) => typeof tag === "string")))
  );
}
