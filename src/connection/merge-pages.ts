import { compareKeys } from "../protocol/key.ts";
import type { ListedKey } from "../protocol/shard-api.ts";

/** A page of one shard. */
export interface ShardPage {
  readonly items: readonly ListedKey[];
  readonly more: boolean;
}

/**
 * Merges pages of several shards into one of at most `limit` keys in order of their bytes. A shard that has more hides keys after the last
 * it gave, so the page ends there at the latest.
 */
export function mergePages(pages: readonly ShardPage[], limit: number): ShardPage {
  const items: ListedKey[] = [];
  const next = pages.map(() => 0);
  while (items.length < limit) {
    let least: ListedKey | undefined;
    let from = -1;
    for (const [at, page] of pages.entries()) {
      const item = page.items[next[at] ?? 0];
      if (item === undefined) {
        if (page.more) return { items, more: true };
      } else if (least === undefined || compareKeys(item.key, least.key) < 0) {
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
