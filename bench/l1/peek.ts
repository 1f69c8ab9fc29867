/**
 * What a hit of the memory cache costs, beside a hit of a plain Map, in nanoseconds. One process, one run, the two in turn, the
 * median of the rounds: on a busy machine the ratio is what counts. Another policy than the default is named on the command line;
 * each wants a process of its own, since a second one in the same process makes the calls of both dearer.
 *
 *     node bench/l1/peek.ts [s3-fifo | lru | lfu | adaptive]
 */

import type { CacheEntry } from "../../src/cache/cache.ts";
import { type EvictionPolicyName, memoryCache } from "../../src/cache/memory/memory-cache.ts";

const rounds = 15;
const reads = 2_000_000;
const policy = (process.argv[2] ?? "s3-fifo") as EvictionPolicyName;

function entry(): CacheEntry {
  return {
    payload: { bytes: new Uint8Array(100), contentType: "application/json" },
    version: 1,
    etag: "0123456789abcdef.1",
    asOf: 1,
    modifiedAtMs: 0,
    storedAtMs: 0,
    expiresAtMs: Number.POSITIVE_INFINITY,
    endsAtMs: Number.POSITIVE_INFINITY,
    decoded: undefined,
    decodedBy: undefined,
  };
}

/** Indices in an order that the hardware can't guess. */
function order(count: number): Uint32Array {
  let state = 1;
  return Uint32Array.from({ length: 1 << 16 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % count;
  });
}

function time(keys: readonly string[], places: Uint32Array, read: (key: string) => unknown): number {
  const mask = places.length - 1;
  let found = 0;
  const start = performance.now();
  for (let i = 0; i < reads; i++) if (read(keys[places[i & mask] ?? 0] ?? "") !== undefined) found++;
  const ns = ((performance.now() - start) * 1e6) / reads;
  if (found !== reads) throw new Error(`${reads - found} misses`);
  return ns;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

console.log(`policy ${policy}`);
console.log("keys     Map ns/hit   memoryCache ns/hit   ratio");
for (const count of [10_000, 100_000]) {
  const keys = Array.from({ length: count }, (_, i) => `user:${i}`);
  const map = new Map(keys.map((key) => [key, entry()]));
  const cache = memoryCache({ maxEntries: count, maxBytes: 2 ** 32, policy });
  for (const key of keys) cache.set(key, entry());
  const places = order(count);
  const [mapNs, cacheNs]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    mapNs.push(time(keys, places, (key) => map.get(key)));
    cacheNs.push(time(keys, places, (key) => cache.peek(key, 1)));
  }
  const [m, c] = [median(mapNs), median(cacheNs)];
  console.log(
    `${String(count).padEnd(9)}${m.toFixed(1).padEnd(13)}${c.toFixed(1).padEnd(21)}${(c / m).toFixed(2)}`,
  );
}
