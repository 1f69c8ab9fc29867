import type { Cache, CacheEntry } from "../../../src/cache/cache.ts";

/** A cache whose every fill is looked at: none may take the place of a newer copy of the same life (rule CO3). */
export function watchedCache(cache: Cache, now: () => number, wrong: (what: string) => void): Cache {
  return {
    supports: cache.supports,
    peek: (key, nowMs) => cache.peek(key, nowMs),
    get: (key, nowMs) => cache.get(key, nowMs),
    inspect: (key, nowMs) => cache.inspect(key, nowMs),
    set(key: string, entry: CacheEntry) {
      const held = cache.inspect(key, now());
      if (held !== undefined && epochOf(held) === epochOf(entry) && held.version > entry.version)
        wrong(`${key} v${entry.version} took the place of v${held.version} in L1`);
      return cache.set(key, entry);
    },
    delete: (key) => cache.delete(key),
    deleteWhere: (test) => cache.deleteWhere(test),
    clear: () => cache.clear(),
    stats: () => cache.stats(),
  };
}

function epochOf({ etag }: CacheEntry): string {
  return etag.slice(0, etag.lastIndexOf("."));
}
