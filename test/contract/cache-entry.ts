import type { CacheEntry } from "../../src/cache/cache.ts";

/** A copy of `size` payload bytes; what `over` names replaces the rest. */
export function entryOf(size: number, over: Partial<CacheEntry> = {}): CacheEntry {
  return {
    payload: { bytes: new Uint8Array(size), contentType: "application/octet-stream" },
    version: 1,
    etag: "0000000000000001.1",
    asOf: 1,
    modifiedAtMs: 0,
    storedAtMs: 0,
    expiresAtMs: Number.POSITIVE_INFINITY,
    endsAtMs: Number.POSITIVE_INFINITY,
    decoded: undefined,
    decodedBy: undefined,
    ...over,
  };
}
