/**
 * The contract of a node's cache (L1). One file, one contract: drivers live in the folders beside it, and
 * `test/contract/cache.ts` holds each of them to every line here.
 */

import type { Payload } from "../protocol/payload.ts";
import type { Codec } from "../runtime/codec.ts";

/** One cached copy. The cache owns it once set; readers must not change it, except for the decoded memo. */
export interface CacheEntry {
  readonly payload: Payload;
  /** Version of the key at the authority. */
  readonly version: number;
  /** Entity tag of that version, without quotes. */
  readonly etag: string;
  /** The shard whose log it follows, so that a hit need not hash the key; absent: ask the adapter. */
  readonly shard?: number;
  /** Log position (revision) at which this copy was known to be true. */
  readonly asOf: number;
  /** Wall-clock ms of its commit at the authority. */
  readonly modifiedAtMs: number;
  /** When the node stored it, in ms of the node's clock. */
  readonly storedAtMs: number;
  /** From here on, in ms of the node's clock, it is no longer kept. `Infinity`: no end. */
  readonly expiresAtMs: number;
  /** From here on it is served only in its grace, if at all; absent: `expiresAtMs`. A sliding copy's readers move it. */
  freshUntilMs?: number;
  /**
   * Wall-clock ms at which this copy was known to be true, set by a cache that several nodes share: from it and `asOf` the reader judges
   * whether the copy may be served. A time ahead of the reader's clock proves nothing. Absent: `storedAtMs`.
   */
  readonly asOfMs?: number;
  /** Tags of the value (rule CO9); absent: none. */
  readonly tags?: readonly string[];
  /**
   * The tenure (a stretch of the node's leases at the shard) under which this copy may be served in strong mode; absent: under none. Set once the
   * copy stands in the cache, and meant for this process only.
   */
  tenure?: number | undefined;
  /** When the value itself ends at the authority, by the node's clock; `Infinity`: no end. */
  readonly endsAtMs: number;
  /** The decoded value and the codec that made it: filled by the first reader, so that a hit decodes nothing. */
  decoded: unknown;
  decodedBy: Codec<unknown> | undefined;
}

/** What a driver can and can't do; a missing ability is itself tested. */
export interface CacheSupports {
  /** `peek` answers at once from the node's memory. */
  readonly peek: boolean;
  /** `get` may find, after a wait, what `peek` did not. */
  readonly awaits: boolean;
  /** Entries survive the process. They come back as equal copies, not as the objects that were set. */
  readonly persistent: boolean;
  /** It keeps bounds and knows what it holds; without, `delete` says true where it can't know. */
  readonly bounded: boolean;
}

/** Figures since the cache was made. */
export interface CacheStats {
  /** Entries in this node's memory. */
  readonly entries: number;
  /** Bytes that the entries are charged with: payload, key and a fixed overhead each. */
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
  /** Entries dropped to keep the bounds (expired ones not counted). */
  readonly evictions: number;
  /** Entries refused because one alone exceeds the byte bound. */
  readonly rejections: number;
  /** The order by which entries are evicted at present. */
  readonly policy?: string;
  /** Failures that were answered as a miss, or as nothing done. */
  readonly errors?: number;
}

/** A bounded store of copies. It never decides freshness: what it holds, unexpired, it gives. */
export interface Cache {
  readonly supports: CacheSupports;
  /**
   * The live entry of `key` without waiting, or undefined; counts a hit or a miss and feeds the eviction policy. On a hit it
   * allocates nothing. `nowMs` is the node's clock: an entry with `expiresAtMs <= nowMs` is absent. A cache that can't answer
   * at once (`supports.peek` false) always gives undefined.
   */
  peek(key: string, nowMs: number): CacheEntry | undefined;
  /** As {@link peek}, but also from a cache that must wait. */
  get(key: string, nowMs: number): Promise<CacheEntry | undefined> | CacheEntry | undefined;
  /** Like {@link peek}, but neither counts nor touches the eviction policy: for coherence, not for reads. */
  inspect(key: string, nowMs: number): CacheEntry | undefined;
  /**
   * Stores a copy in place of any other of `key`. One that alone exceeds the byte bound is not kept (the old copy goes all the
   * same) and counted as a rejection. Gives whether it was kept.
   */
  set(key: string, entry: CacheEntry): Promise<boolean> | boolean;
  /** Drops the copy of `key`; gives whether there was one; true where that can't be known. */
  delete(key: string): Promise<boolean> | boolean;
  /** Drops all copies whose key passes; gives how many. */
  deleteWhere(test: (key: string) => boolean): Promise<number> | number;
  /** Drops everything. */
  clear(): Promise<void> | void;
  stats(): CacheStats;
}
