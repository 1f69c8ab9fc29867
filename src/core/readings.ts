import { type Codec, jsonCodec } from "../runtime/codec.ts";
import type { Reading } from "./entry.ts";

/** Without a codec, values are JSON and `T` is the caller's word for what they hold. */
export function codecOf<T>(options: { readonly codec?: Codec<T> } | undefined): Codec<T> {
  return options?.codec ?? (jsonCodec as Codec<T>);
}

const jsonReading: Reading<unknown> = { codec: jsonCodec };

/** How a call reads values. */
export function readingOf<T>(options: { readonly codec?: Codec<T> } | undefined): Reading<T> {
  return options?.codec === undefined ? (jsonReading as Reading<T>) : { codec: options.codec };
}

/** A reading with an identity of its own where a schema checks what the codec decodes. */
export function scopeReading<T>(codec: Codec<T>, schema: Reading<T>["schema"]): Reading<T> {
  if (schema === undefined) return { codec };
  const own: Codec<T> = {
    encode: (value) => codec.encode(value),
    decode: (payload) => codec.decode(payload),
    ...(codec.perReader === undefined ? {} : { perReader: codec.perReader }),
  };
  return { codec: own, schema };
}
