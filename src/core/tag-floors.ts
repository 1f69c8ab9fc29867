import type { CacheEntry } from "../cache/cache.ts";

/**
 * Up to which log position each tag was invalidated, per shard (rule CO9): a copy with a tag is served only if it is not from before.
 * So one log entry reaches any number of copies, and none of them has to be looked for.
 *
 * Bounded: the tag that was invalidated longest ago goes, and its position becomes that of all tagged copies of its shard. That costs some
 * of them that were fine, and never serves one that was not.
 */
export class TagFloors {
  readonly #maxTags: number;
  readonly #shards = new Map<number, { readonly tags: Map<string, number>; all: number }>();

  /** At most `maxTags` are remembered of each shard. */
  constructor(maxTags = 10_000) {
    this.#maxTags = maxTags;
  }

  /** Whether an answer with these tags, true at `asOf`, stands. */
  stands(tags: readonly string[], shard: number, asOf: number): boolean {
    const floors = this.#shards.get(shard);
    if (floors === undefined) return true;
    if (asOf < floors.all) return false;
    for (const tag of tags) {
      const floor = floors.tags.get(tag);
      if (floor !== undefined && asOf < floor) return false;
    }
    return true;
  }

  /** Whether a copy stands. Untagged ones always do. */
  keeps(entry: CacheEntry, shardOf: () => number): boolean {
    if (entry.tags === undefined || this.#shards.size === 0) return true;
    return this.stands(entry.tags, entry.shard ?? shardOf(), entry.asOf);
  }

  raise(tag: string, shard: number, at: number): void {
    let floors = this.#shards.get(shard);
    if (floors === undefined) {
      floors = { tags: new Map(), all: Number.NEGATIVE_INFINITY };
      this.#shards.set(shard, floors);
    }
    const { tags } = floors;
    const before = tags.get(tag);
    if (before !== undefined && before >= at) return;
    // Anew at the end of the map's order.
    tags.delete(tag);
    tags.set(tag, at);
    if (tags.size <= this.#maxTags) return;
    for (const [oldest, floor] of tags) {
      tags.delete(oldest);
      floors.all = Math.max(floors.all, floor);
      break;
    }
  }

  /** Forgets the floors of `shard`, whose positions count anew and whose copies are gone. */
  reset(shard: number): void {
    this.#shards.delete(shard);
  }

  /** Forgets all floors. */
  clear(): void {
    this.#shards.clear();
  }
}
