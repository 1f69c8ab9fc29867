import type { Cache, CacheEntry } from "../../src/cache/cache.ts";
import type { Seeded } from "../support/seeded.ts";

/** Draws ranks 0 to `count - 1` with probability proportional to `1 / (rank + 1) ** skew`. */
export function zipf(random: Seeded, count: number, skew: number): () => number {
  const sums = new Float64Array(count);
  let sum = 0;
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1) ** skew;
    sums[rank] = sum;
  }
  return () => {
    const point = (random.below(2 ** 30) / 2 ** 30) * sum;
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) < point) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** A least-recently-used cache of `size` keys, to compare with; a read of an absent key stores it. Gives whether it was a hit. */
export function lru(size: number): (key: string) => boolean {
  const held = new Set<string>();
  return (key) => {
    const hit = held.delete(key);
    held.add(key);
    if (held.size > size) for (const oldest of held) return held.delete(oldest) && hit;
    return hit;
  };
}

/** A sequence of reads, by key number. */
export interface Trace {
  readonly name: string;
  /** What it stands for. */
  readonly says: string;
  readonly keys: Uint32Array;
}

/** Four kinds of load for a cache of `size` entries, each of `reads` reads, repeatable by `seed`. */
export function traces(make: (seed: number) => Seeded, seed: number, size: number, reads: number): Trace[] {
  const universe = size * 10;
  const fill = (next: (i: number) => number): Uint32Array =>
    Uint32Array.from({ length: reads }, (_, i) => next(i));
  const popular = zipf(make(seed), universe, 0.9);
  const between = zipf(make(seed + 1), universe, 0.9);
  const drifting = zipf(make(seed + 2), universe, 1);
  const period = size * 5;
  let fresh = universe;
  return [
    { name: "zipf", says: "few keys are popular, for ever", keys: fill(popular) },
    {
      name: "scan",
      says: "the same, a quarter of the time a run over keys read once",
      keys: fill((i) => (i % period < period / 4 ? fresh++ : between())),
    },
    {
      name: "loop",
      says: "round and round over a fifth more keys than fit",
      keys: fill((i) => i % Math.ceil(size * 1.2)),
    },
    {
      name: "drift",
      says: "what is popular moves on by one place every 4 reads",
      keys: fill((i) => (universe + (i >> 2) - drifting()) >>> 0),
    },
  ];
}

/** Share of hits, in percent, that a cache has on a trace; what misses is stored. The first fifth is not counted. */
export function hitPercent(cache: Cache, keys: Uint32Array, entry: CacheEntry): number {
  const begin = Math.floor(keys.length / 5);
  let hits = 0;
  for (const [i, number] of keys.entries()) {
    const key = `k${number}`;
    if (cache.peek(key, 0) === undefined) cache.set(key, entry);
    else if (i >= begin) hits++;
  }
  return (100 * hits) / (keys.length - begin);
}
