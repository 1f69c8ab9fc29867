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
