import { WarpError } from "../../errors.ts";
import type { Cache, CacheEntry, CacheStats, CacheSupports } from "../cache.ts";
import { ChangeMarks } from "./change-marks.ts";

/**
 * Two caches as one: a fast one before a larger or lasting one. Throws `invalid_argument` if the first can't be peeked into.
 *
 * The first tier never holds an older copy than the second got from this node: `set` and `delete` begin with the first tier, and what a
 * read brings up from the second does not enter the first if the key was changed meanwhile. Errors of a tier are the caller's;
 * wrap it in `resilientCache` to go on without it.
 */
export function tieredCache(first: Cache, second: Cache): Cache {
  if (!first.supports.peek) {
    throw new WarpError("invalid_argument", "the first tier must answer at once (supports.peek)", {
      details: { field: "first" },
    });
  }
  return new TieredCache(first, second);
}

class TieredCache implements Cache {
  readonly supports: CacheSupports;
  readonly #first: Cache;
  readonly #second: Cache;
  readonly #marks = new ChangeMarks();
  #secondHits = 0;

  constructor(first: Cache, second: Cache) {
    this.#first = first;
    this.#second = second;
    this.supports = { peek: true, awaits: true, persistent: second.supports.persistent, bounded: false };
  }

  peek(key: string, nowMs: number): CacheEntry | undefined {
    return this.#first.peek(key, nowMs);
  }

  inspect(key: string, nowMs: number): CacheEntry | undefined {
    return this.#first.inspect(key, nowMs);
  }

  get(key: string, nowMs: number): Promise<CacheEntry | undefined> | CacheEntry | undefined {
    return this.#first.peek(key, nowMs) ?? this.#bringUp(key, nowMs);
  }

  async set(key: string, entry: CacheEntry): Promise<boolean> {
    this.#marks.change(key);
    const above = await this.#first.set(key, entry);
    try {
      return (await this.#second.set(key, entry)) || above;
    } finally {
      // A read that began meanwhile may have the second tier's old copy in hand.
      this.#marks.change(key);
      if (!above) await this.#first.delete(key);
    }
  }

  async delete(key: string): Promise<boolean> {
    this.#marks.change(key);
    const above = await this.#first.delete(key);
    try {
      return (await this.#second.delete(key)) || above;
    } finally {
      this.#marks.change(key);
      await this.#first.delete(key);
    }
  }

  /** The number is the larger of the two tiers'. */
  async deleteWhere(test: (key: string) => boolean): Promise<number> {
    this.#marks.changeAll();
    const above = await this.#first.deleteWhere(test);
    try {
      return Math.max(await this.#second.deleteWhere(test), above);
    } finally {
      this.#marks.changeAll();
      await this.#first.deleteWhere(test);
    }
  }

  async clear(): Promise<void> {
    await this.deleteWhere(() => true);
  }

  /** Entries, bytes, evictions and rejections are the first tier's; a hit in either is a hit. */
  stats(): CacheStats {
    const first = this.#first.stats();
    const errors = (first.errors ?? 0) + (this.#second.stats().errors ?? 0);
    return {
      ...first,
      hits: first.hits + this.#secondHits,
      misses: first.misses - this.#secondHits,
      ...(errors === 0 ? {} : { errors }),
    };
  }

  async #bringUp(key: string, nowMs: number): Promise<CacheEntry | undefined> {
    const mark = this.#marks.at(key);
    const entry = await this.#second.get(key, nowMs);
    if (entry === undefined) return undefined;
    this.#secondHits++;
    if (this.#marks.at(key) !== mark) return this.#first.inspect(key, nowMs) ?? entry;
    await this.#first.set(key, entry);
    return entry;
  }
}
