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
