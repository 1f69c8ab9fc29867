/**
 * What an entry of the memory cache takes beyond its payload and key, in bytes: what `entryOverheadBytes` is set by.
 *
 *     node --expose-gc bench/l1/memory.ts
 */

import type { CacheEntry } from "../../src/cache/cache.ts";
import { entryOverheadBytes } from "../../src/cache/charge.ts";
import { memoryCache } from "../../src/cache/memory/memory-cache.ts";

const count = 200_000;
const payloadBytes = 100;
const { gc } = globalThis as { gc?: () => void };
if (gc === undefined) throw new Error("run it with --expose-gc");

function used(): number {
  gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const keys = Array.from({ length: count }, (_, i) => `user:${i}`);
const now = Date.now();
const cache = memoryCache({ maxEntries: count, maxBytes: 2 ** 32 });
const before = used();
for (const [i, key] of keys.entries()) {
  const entry: CacheEntry = {
    payload: { bytes: new Uint8Array(payloadBytes), contentType: "application/json" },
    version: i,
    etag: `0123456789abcdef.${i}`,
    asOf: i,
    modifiedAtMs: now,
    storedAtMs: now,
    expiresAtMs: now + 300_000,
    endsAtMs: Number.POSITIVE_INFINITY,
    decoded: undefined,
    decodedBy: undefined,
  };
  cache.set(key, entry);
}
const each = (used() - before) / count;
console.log(`${each.toFixed(0)} bytes an entry with ${payloadBytes} of payload, its key not counted`);
console.log(`overhead ${(each - payloadBytes).toFixed(0)}; charged ${entryOverheadBytes}`);
if (cache.stats().entries !== count) throw new Error("entries were lost");
