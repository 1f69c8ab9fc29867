import type { CacheEntry } from "./cache.ts";

/**
 * What an entry is charged with beside its payload and key, in bytes: its objects, its buffer's header and its places in map and
 * arrays, as `bench/l1/memory.ts` measures it on 64-bit V8. The decoded value that a reader leaves on the entry is not charged.
 */
export const entryOverheadBytes = 600;

/** Bytes that a cache is charged with for a copy: payload, two for each UTF-16 unit of key and content type, and the overhead. */
export function chargedBytes(key: string, entry: CacheEntry): number {
  return (
    entry.payload.bytes.byteLength + 2 * (key.length + entry.payload.contentType.length) + entryOverheadBytes
  );
}
