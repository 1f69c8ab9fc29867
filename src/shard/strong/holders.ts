import { maxHeldKeys } from "../../runtime/limits.ts";

/** Who holds a key: bit `i` of the two words is the session in place `i`. The tags are those of the value that is held. */
interface Holding {
  low: number;
  high: number;
  readonly tags: readonly string[];
}

/** Sessions in {@link Holders}, at most: the bits of two words. */
export const maxPlaces = 64;

/**
 * Which sessions may serve which keys from their L1. A permission lasts until an invalidation takes it or its session is over. One bit each, since
 * 64 sessions may hold 100,000 keys.
 */
export class Holders {
  readonly #keys = new Map<string, Holding>();
  readonly #max: number;

  constructor(max = maxHeldKeys) {
    this.#max = max;
  }

  get isEmpty(): boolean {
    return this.#keys.size === 0;
  }

  get isFull(): boolean {
    return this.#keys.size >= this.#max;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Notes that the session in `place` holds `key`; false: there is no room. */
  add(key: string, place: number, tags: readonly string[] = []): boolean {
    let holding = this.#keys.get(key);
    if (holding === undefined) {
      if (this.isFull) return false;
      holding = { low: 0, high: 0, tags };
      this.#keys.set(key, holding);
    }
    if (place < 32) holding.low |= 1 << place;
    else holding.high |= 1 << (place - 32);
    return true;
  }

  /** Takes all permissions of a key back; gives the places of those who had one. */
  take(key: string): number[] {
    const holding = this.#keys.get(key);
    this.#keys.delete(key);
    const places: number[] = [];
    if (holding === undefined) return places;
    for (let place = 0; place < maxPlaces; place++) {
      const word = place < 32 ? holding.low : holding.high;
      if ((word >>> (place % 32)) & 1) places.push(place);
    }
    return places;
  }

  /** Ends all that the session in `place` holds. */
  free(place: number): void {
    const low = place < 32 ? ~(1 << place) : ~0;
    const high = place < 32 ? ~0 : ~(1 << (place - 32));
    for (const [key, holding] of this.#keys) {
      holding.low &= low;
      holding.high &= high;
      if (holding.low === 0 && holding.high === 0) this.#keys.delete(key);
    }
  }

  /** The held keys that begin with `prefix`. */
  *withPrefix(prefix: string): Iterable<string> {
    for (const key of this.#keys.keys()) if (key.startsWith(prefix)) yield key;
  }

  /** The held keys whose value has `tag`. */
  *withTag(tag: string): Iterable<string> {
    for (const [key, { tags }] of this.#keys) if (tags.includes(tag)) yield key;
  }

  keys(): Iterable<string> {
    return this.#keys.keys();
  }

  clear(): void {
    this.#keys.clear();
  }
}
