import { compareKeys } from "../protocol/key.ts";
import type { ListedKey } from "../protocol/shard-api.ts";

/** A page of one shard. */
export interface ShardPage<T = ListedKey> {
  readonly items: readonly T[];
  readonly more: boolean;
}

/**
 * Merges pages of several shards into one of at most `limit` keys in order of their bytes. A shard that has more hides keys after the last
 * it gave, so the page ends there at the latest.
 */
export function mergePages(pages: readonly ShardPage[], limit: number): ShardPage {
  return merged(pages, limit, (one, other) => compareKeys(one.key, other.key));
}

/** {@link mergePages} for anything that `compare` orders, as its pages are. */
export function merged<T>(
  pages: readonly ShardPage<T>[],
  limit: number,
  compare: (one: T, other: T) => number,
): ShardPage<T> {
  const items: T[] = [];
  const next = pages.map(() => 0);
  while (items.length < limit) {
    let least: T | undefined;
    let from = -1;
    for (const [at, page] of pages.entries()) {
      const item = page.items[next[at] ?? 0];
      if (item === undefined) {
        if (page.more) return { items, more: true };
      } else if (least === undefined || compare(item, least) < 0) {
        least = item;
        from = at;
      }
    }
    if (least === undefined) return { items, more: false };
    items.push(least);
    next[from] = (next[from] ?? 0) + 1;
  }
  return { items, more: pages.some((page, at) => page.more || (next[at] ?? 0) < page.items.length) };
}
