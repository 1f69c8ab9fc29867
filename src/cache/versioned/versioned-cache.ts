import { WarpError } from "../../errors.ts";
import { defaultCacheMaxBytes, maxHistoryVersions } from "../../runtime/limits.ts";
import { bound } from "../bound.ts";
import type { Cache, CacheEntry, CacheStats, CacheSupports } from "../cache.ts";
import { Past } from "./past.ts";

/** Options of {@link versionedCache}. */
export interface VersionedCacheOptions {
  /** Copies of a key, the present one included: 1 to 10,000. Default 10. */
  readonly versions?: number;
  /** Keys whose superseded copies are kept, 1 to 16,777,216. Default 10,000. */
  readonly maxKeys?: number;
  /** Bytes that superseded copies are charged with, 1 to 1,099,511,627,776. Default 33,554,432 (32 MiB). */
  readonly maxBytes?: number;
}

/** A cache that also remembers what it held before. */
export interface VersionedCache extends Cache {
  /**
   * The copy that was the present one at `atMs` (wall-clock ms of the authority's commits), as far as this node saw it and it has not expired
   * at `nowMs`. Undefined says that this node does not know, not that there was no value: the authority's history does. Counts a hit or a miss.
   */
  getAt(key: string, atMs: number, nowMs: number): CacheEntry | undefined;
  /** The unexpired copies, newest first. Counts nothing. */
  versions(key: string, nowMs: number): readonly CacheEntry[];
}

const defaultVersions = 10;
const defaultMaxKeys = 10_000;
const mostKeys = 2 ** 24;
const mostBytes = 2 ** 40;

/**
 * Keeps superseded copies beside `inner`, which must hold its entries in this node's memory. `delete` drops all copies of a key. Throws
 * `invalid_argument` for bounds out of range or an `inner` that can't be peeked into.
 */
export function versionedCache(inner: Cache, options: VersionedCacheOptions = {}): VersionedCache {
  if (!inner.supports.peek) {
    throw new WarpError("invalid_argument", "inner must answer at once (supports.peek)", {
      details: { field: "inner" },
    });
  }
  const past = new Past(
    bound("versions", options.versions ?? defaultVersions, 1, maxHistoryVersions) - 1,
    bound("maxKeys", options.maxKeys ?? defaultMaxKeys, 1, mostKeys),
    bound("maxBytes", options.maxBytes ?? defaultCacheMaxBytes, 1, mostBytes),
  );
  return new Versioned(inner, past);
}

class Versioned implements VersionedCache {
  readonly supports: CacheSupports;
  readonly #inner: Cache;
  readonly #past: Past;
  #hits = 0;
  #misses = 0;

  constructor(inner: Cache, past: Past) {
    this.#inner = inner;
    this.#past = past;
    this.supports = inner.supports;
  }

  peek(key: string, nowMs: number): CacheEntry | undefined {
    return this.#inner.peek(key, nowMs);
  }

  inspect(key: string, nowMs: number): CacheEntry | undefined {
    return this.#inner.inspect(key, nowMs);
  }

  get(key: string, nowMs: number): Promise<CacheEntry | undefined> | CacheEntry | undefined {
    return this.#inner.get(key, nowMs);
  }

  getAt(key: string, atMs: number, nowMs: number): CacheEntry | undefined {
    const present = this.#inner.inspect(key, nowMs);
    const entry = present !== undefined && present.modifiedAtMs <= atMs ? present : this.#past.at(key, atMs);
    if (entry === undefined || entry.expiresAtMs <= nowMs) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    return entry;
  }

  versions(key: string, nowMs: number): readonly CacheEntry[] {
    const present = this.#inner.inspect(key, nowMs);
    const past = this.#past.of(key).filter((entry) => entry.expiresAtMs > nowMs);
    return present === undefined ? past : [present, ...past];
  }

  set(key: string, entry: CacheEntry): Promise<boolean> | boolean {
    const held = this.#inner.inspect(key, entry.storedAtMs);
    // The same version again is no new one, and an older one that comes late has no place known.
    if (held !== undefined && held.etag !== entry.etag && held.modifiedAtMs <= entry.modifiedAtMs) {
      this.#past.add(key, held, entry.modifiedAtMs);
    }
    return this.#inner.set(key, entry);
  }

  delete(key: string): Promise<boolean> | boolean {
    const had = this.#past.delete(key);
    const dropped = this.#inner.delete(key);
    return dropped instanceof Promise ? dropped.then((one) => one || had) : dropped || had;
  }

  deleteWhere(test: (key: string) => boolean): Promise<number> | number {
    let onlyPast = 0;
    const dropped = [...this.#past.keys()].filter(test);
    for (const key of dropped) {
      this.#past.delete(key);
      // A time before everything: present, whether expired or not, so that it is counted once.
      if (this.#inner.inspect(key, Number.NEGATIVE_INFINITY) === undefined) onlyPast++;
    }
    const count = this.#inner.deleteWhere(test);
    return count instanceof Promise ? count.then((inner) => inner + onlyPast) : count + onlyPast;
  }

  clear(): Promise<void> | void {
    this.#past.clear();
    return this.#inner.clear();
  }

  /** Entries and bytes count all copies, evictions also keys whose past was dropped for the bounds, hits and misses also `getAt`. */
  stats(): CacheStats {
    const inner = this.#inner.stats();
    return {
      ...inner,
      entries: inner.entries + this.#past.copies,
      bytes: inner.bytes + this.#past.bytes,
      hits: inner.hits + this.#hits,
      misses: inner.misses + this.#misses,
      evictions: inner.evictions + this.#past.evictions,
    };
  }
}
