import { defaultCacheMaxBytes, defaultCacheMaxEntries } from "../../runtime/limits.ts";
import { bound } from "../bound.ts";
import type { Cache, CacheEntry, CacheStats, CacheSupports } from "../cache.ts";
import { chargedBytes } from "../charge.ts";
import { type EvictionPolicyName, evictionPolicy } from "./policies.ts";
import type { EvictionPolicy } from "./policy.ts";

export type { EvictionPolicyName };

/** Bounds and policy of a {@link memoryCache}. */
export interface MemoryCacheOptions {
  /** Most entries, 1 to 16,777,216. Default 100,000. */
  readonly maxEntries?: number;
  /** Most bytes that entries are charged with, 1 to 1,099,511,627,776 (1 TiB). Default 33,554,432 (32 MiB). */
  readonly maxBytes?: number;
  /** What goes first when it is full: `s3-fifo` (default), `lru`, `lfu` or `adaptive`. */
  readonly policy?: EvictionPolicyName;
}

const mostEntries = 2 ** 24;
const mostBytes = 2 ** 40;
const firstCapacity = 64;
/** Slots that each `set` looks over for expired entries, so that these don't hold bytes until the policy reaches them. */
const sweepSlots = 8;
const supports: CacheSupports = Object.freeze({
  peek: true,
  awaits: false,
  persistent: false,
  bounded: true,
});

/** An in-memory cache: bounded in entries and bytes, no timers. Throws `invalid_argument` for bounds out of range or an unknown policy. */
export function memoryCache(options: MemoryCacheOptions = {}): MemoryCache {
  return new MemoryCache(
    bound("maxEntries", options.maxEntries ?? defaultCacheMaxEntries, 1, mostEntries),
    bound("maxBytes", options.maxBytes ?? defaultCacheMaxBytes, 1, mostBytes),
    options.policy ?? "s3-fifo",
  );
}

/**
 * The cache behind {@link memoryCache}. One map leads from the key to a small integer, the slot; all else about a slot is in flat
 * arrays that grow by doubling. A hit costs one map lookup, one compare with the expiry and the policy's note of it.
 */
export class MemoryCache implements Cache {
  readonly supports = supports;
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #slots = new Map<string, number>();
  readonly #policy: EvictionPolicy;
  #keys: string[] = [];
  #entries: (CacheEntry | undefined)[] = [];
  /** `-Infinity` where the slot is free. */
  #expiresAt: Float64Array;
  #charges: Uint32Array;
  #free: number[] = [];
  /** Slots below it have been used. */
  #used = 0;
  #sweepAt = 0;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;
  #rejections = 0;

  constructor(maxEntries: number, maxBytes: number, policy: EvictionPolicyName) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
    const capacity = Math.min(firstCapacity, maxEntries);
    this.#policy = evictionPolicy(policy, capacity);
    this.#expiresAt = new Float64Array(capacity);
    this.#charges = new Uint32Array(capacity);
  }

  peek(key: string, nowMs: number): CacheEntry | undefined {
    const slot = this.#slots.get(key);
    if (slot !== undefined) {
      if (nowMs < (this.#expiresAt[slot] ?? 0)) {
        this.#policy.touch(slot);
        this.#hits++;
        return this.#entries[slot];
      }
      this.#drop(key, slot);
    }
    this.#misses++;
    // The key is hashed only for a policy that wants it.
    this.#policy.miss?.(hash(key));
    return undefined;
  }

  get(key: string, nowMs: number): CacheEntry | undefined {
    return this.peek(key, nowMs);
  }

  inspect(key: string, nowMs: number): CacheEntry | undefined {
    const slot = this.#slots.get(key);
    return slot !== undefined && nowMs < (this.#expiresAt[slot] ?? 0) ? this.#entries[slot] : undefined;
  }

  /** As the contract says. A copy that is over by its own `storedAtMs` is not kept either. */
  set(key: string, entry: CacheEntry): boolean {
    const charge = chargedBytes(key, entry);
    const tooLarge = charge > this.#maxBytes || charge > 0xffff_ffff;
    if (tooLarge || !(entry.storedAtMs < entry.expiresAtMs)) {
      if (tooLarge) this.#rejections++;
      this.delete(key);
      return false;
    }
    this.#sweep(entry.storedAtMs);
    const held = this.#slots.get(key);
    if (held === undefined) this.#insert(key, entry, charge);
    else this.#replace(held, entry, charge);
    return true;
  }

  delete(key: string): boolean {
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#drop(key, slot);
    return true;
  }

  deleteWhere(test: (key: string) => boolean): number {
    let dropped = 0;
    for (const [key, slot] of this.#slots) {
      if (!test(key)) continue;
      this.#drop(key, slot);
      dropped++;
    }
    return dropped;
  }

  clear(): void {
    this.#slots.clear();
    this.#policy.clear();
    this.#keys = [];
    this.#entries = [];
    this.#free = [];
    this.#used = 0;
    this.#sweepAt = 0;
    this.#bytes = 0;
  }

  stats(): CacheStats {
    return {
      entries: this.#slots.size,
      bytes: this.#bytes,
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      rejections: this.#rejections,
      policy: this.#policy.leading,
    };
  }

  #insert(key: string, entry: CacheEntry, charge: number): void {
    this.#makeRoom(charge, 1, entry.storedAtMs);
    const slot = this.#free.pop() ?? this.#newSlot();
    this.#slots.set(key, slot);
    this.#keys[slot] = key;
    this.#write(slot, entry, charge);
    this.#policy.add(slot, hash(key), charge);
    this.#bytes += charge;
  }

  #replace(slot: number, entry: CacheEntry, charge: number): void {
    // It may have grown: others make room for it, and when it is alone at the latest it fits.
    const old = this.#charges[slot] ?? 0;
    this.#policy.renew(slot, old, charge);
    this.#bytes += charge - old;
    this.#write(slot, entry, charge);
    this.#makeRoom(0, 0, entry.storedAtMs, slot);
  }

  #write(slot: number, entry: CacheEntry, charge: number): void {
    this.#entries[slot] = entry;
    this.#expiresAt[slot] = entry.expiresAtMs;
    this.#charges[slot] = charge;
  }

  /** Gives up slots until `charge` bytes and `count` entries more fit; never `spare`. */
  #makeRoom(charge: number, count: number, nowMs: number, spare = -1): void {
    for (;;) {
      const byBytes = this.#bytes + charge > this.#maxBytes;
      if (!byBytes && this.#slots.size + count <= this.#maxEntries) return;
      const slot = this.#policy.victim(this.#charges, byBytes, spare);
      const slotCharge = this.#charges[slot] ?? 0;
      const key = this.#keys[slot] ?? "";
      if (nowMs < (this.#expiresAt[slot] ?? 0)) {
        this.#evictions++;
        this.#policy.evict(slot, hash(key), slotCharge);
      } else this.#policy.remove(slot, slotCharge);
      this.#release(key, slot, slotCharge);
    }
  }

  #sweep(nowMs: number): void {
    for (let looked = Math.min(sweepSlots, this.#used); looked > 0; looked--) {
      const slot = this.#sweepAt;
      this.#sweepAt = slot + 1 < this.#used ? slot + 1 : 0;
      // A free slot reads -Infinity and has no entry.
      if (this.#entries[slot] !== undefined && !(nowMs < (this.#expiresAt[slot] ?? 0))) {
        this.#drop(this.#keys[slot] ?? "", slot);
      }
    }
  }

  #drop(key: string, slot: number): void {
    const charge = this.#charges[slot] ?? 0;
    this.#policy.remove(slot, charge);
    this.#release(key, slot, charge);
  }

  #release(key: string, slot: number, charge: number): void {
    this.#slots.delete(key);
    this.#entries[slot] = undefined;
    this.#keys[slot] = "";
    this.#expiresAt[slot] = Number.NEGATIVE_INFINITY;
    this.#bytes -= charge;
    this.#free.push(slot);
  }

  #newSlot(): number {
    const slot = this.#used++;
    if (slot === this.#charges.length) {
      const capacity = Math.min(slot * 2, this.#maxEntries);
      this.#policy.grow(capacity);
      const [expiresAt, charges] = [this.#expiresAt, this.#charges];
      this.#expiresAt = new Float64Array(capacity);
      this.#expiresAt.set(expiresAt);
      this.#charges = new Uint32Array(capacity);
      this.#charges.set(charges);
    }
    return slot;
  }
}

/** FNV-1a over the key's UTF-16 units. */
function hash(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  return (h ^ (h >>> 15)) >>> 0;
}
