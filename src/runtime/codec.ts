import { WarpError } from "../errors.ts";
import type { Payload } from "../protocol/payload.ts";
import { fromUtf8, utf8 } from "./bytes.ts";

/**
 * Turns values into bytes and back. A codec is compared by identity: use one object for one meaning.
 *
 * Decoded values are shared between readers through the cache, so a codec gives values that can't be changed or whose
 * change harms nobody (`jsonCodec` freezes what it decodes).
 */
export interface Codec<T> {
  /** Throws `encode_failed` for a value it can't carry. */
  encode(value: T): Payload;
  /** Throws `decode_failed` for bytes or a content type that aren't its own. */
  decode(payload: Payload): T;
  /** Each reader gets a value of its own, which it may change: what was decoded is not shared. Default false. */
  readonly perReader?: boolean;
}

function mediaType(contentType: string): string {
  const semicolon = contentType.indexOf(";");
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

/**
 * JSON, as `application/json`. Decoded values are deeply frozen: readers share them. `undefined`, functions, symbols and
 * BigInt at the top are `encode_failed`; inside, `JSON.stringify`'s rules hold. Reads any `application/json` or `+json`.
 */
export const jsonCodec: Codec<unknown> = {
  encode(value) {
    let text: string | undefined;
    try {
      text = JSON.stringify(value);
    } catch (cause) {
      throw new WarpError("encode_failed", "the value can't be written as JSON", { cause });
    }
    if (text === undefined) {
      throw new WarpError("encode_failed", `a value of type ${typeof value} can't be written as JSON`);
    }
    return { bytes: utf8(text), contentType: "application/json" };
  },
  decode(payload) {
    const type = mediaType(payload.contentType);
    if (type !== "application/json" && !type.endsWith("+json")) {
      throw new WarpError("decode_failed", `the value is ${type}, not JSON; read it with another codec`);
    }
    try {
      return deepFreeze(JSON.parse(fromUtf8(payload.bytes)));
    } catch (cause) {
      throw new WarpError("decode_failed", "the value is not valid JSON", { cause });
    }
  },
};

/** Text, as `text/plain; charset=utf-8`. Reads any type whose bytes are UTF-8. */
export const textCodec: Codec<string> = {
  encode(value) {
    if (typeof value !== "string" || !value.isWellFormed()) {
      throw new WarpError("encode_failed", "the text codec takes well-formed strings only");
    }
    return { bytes: utf8(value), contentType: "text/plain; charset=utf-8" };
  },
  decode(payload) {
    try {
      return fromUtf8(payload.bytes);
    } catch (cause) {
      throw new WarpError("decode_failed", "the value is not UTF-8 text", { cause });
    }
  },
};

/**
 * Bytes, as `application/octet-stream`. Anything but a `Uint8Array` is `encode_failed`; reads only its own type, as a fresh copy, so that
 * a reader may change what it got.
 */
export const bytesCodec: Codec<Uint8Array> = {
  perReader: true,
  encode(value) {
    if (!(value instanceof Uint8Array)) {
      throw new WarpError("encode_failed", "the bytes codec takes a Uint8Array only");
    }
    return { bytes: value.slice(), contentType: "application/octet-stream" };
  },
  decode(payload) {
    if (mediaType(payload.contentType) !== "application/octet-stream") {
      throw new WarpError("decode_failed", `the value is ${mediaType(payload.contentType)}, not bytes`);
    }
    return payload.bytes.slice();
  },
};

/** The stored form itself: bytes with their content type, shared and never to be changed. What the HTTP edge uses. */
export const payloadCodec: Codec<Payload> = {
  encode: (value) => value,
  decode: (payload) => payload,
};
