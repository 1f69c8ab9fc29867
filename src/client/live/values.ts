import { WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import { fromUtf8, utf8 } from "../../runtime/bytes.ts";
import type { Codec } from "../../runtime/codec.ts";

/** JSON, and bytes as they are: what is written says which, what is read goes by its content type. Text of any other kind is read as text. */
export const plainValues: Codec<unknown> = {
  encode(value) {
    if (value instanceof Uint8Array) return { bytes: value, contentType: "application/octet-stream" };
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new WarpError("encode_failed", "the value can't be written as JSON");
    return { bytes: utf8(text), contentType: "application/json" };
  },
  decode({ bytes, contentType }) {
    if (/^application\/(json|.*\+json)\b/i.test(contentType)) return JSON.parse(fromUtf8(bytes));
    return /^text\//i.test(contentType) ? fromUtf8(bytes) : bytes;
  },
};

/** The bytes of a value. Throws `encode_failed`. */
export function encoded(codec: Codec<unknown>, value: unknown): Payload {
  try {
    return codec.encode(value);
  } catch (error) {
    throw WarpError.from(error, "encode_failed", "the value can't be encoded");
  }
}

/** Throws `decode_failed`. */
export function decoded<T>(codec: Codec<unknown>, payload: Payload): T {
  try {
    return codec.decode(payload) as T;
  } catch (error) {
    throw WarpError.from(error, "decode_failed", "the value can't be decoded");
  }
}
