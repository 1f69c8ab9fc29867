import type { CacheEntry } from "../cache.ts";
import { chargedBytes } from "../charge.ts";

/** A superseded copy and when, by the authority's clock, the next one was committed. */
interface Superseded {
  readonly entry: CacheEntry;
  readonly untilMs: number;
}

/** Superseded copies of keys, newest first, bounded in keys, in copies of a key and in bytes. What was written least recently goes first. */
export class Past {
  readonly #keys = new Map<string, Superseded[]>();
  readonly #perKey: number;
  readonly #maxKeys: number;
  readonly #maxBytes: number;
  #copies = 0;
  #bytes = 0;
  #evictions = 0;

  constructor(perKey: number, maxKeys: number, maxBytes: number) {
    this.#perKey = perKey;
    this.#maxKeys = maxKeys;
    this.#maxBytes = maxBytes;
  }

  get copies(): number {
    return this.#copies;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keys whose past was dropped to keep the bounds. */
  get evictions(): number {
    return this.#evictions;
  }

  /** `entry`, until now the newest copy of `key`, was superseded at `untilMs`. */
  add(key: string, entry: CacheEntry, untilMs: number): void {
    const list = this.#keys.get(key) ?? [];
    this.#keys.delete(key);
    if (this.#perKey === 0) return;
    list.unshift({ entry, untilMs });
    this.#charge(key, entry, 1);
    while (list.length > this.#perKey) {
      const oldest = list.pop();
      if (oldest !== undefined) this.#charge(key, oldest.entry, -1);
    }
    this.#keys.set(key, list);
    for (const least of this.#keys.keys()) {
      if (this.#keys.size <= this.#maxKeys && this.#bytes <= this.#maxBytes) return;
      this.delete(least);
      this.#evictions++;
    }
  }

  /** The copy that was the present one at `atMs`. */
  at(key: string, atMs: number): CacheEntry | undefined {
    return this.#keys.get(key)?.find(({ entry, untilMs }) => entry.modifiedAtMs <= atMs && atMs < untilMs)
      ?.entry;
  }

  /** All copies, newest first. */
  of(key: string): readonly CacheEntry[] {
    return this.#keys.get(key)?.map(({ entry }) => entry) ?? [];
  }

  keys(): Iterable<string> {
    return this.#keys.keys();
  }

  delete(key: string): boolean {
    const list = this.#keys.get(key);
    if (list === undefined) return false;
    for (const { entry } of list) this.#charge(key, entry, -1);
    return this.#keys.delete(key);
  }

  clear(): void {
    this.#keys.clear();
    this.#copies = 0;
    this.#bytes = 0;
  }

  #charge(key: string, entry: CacheEntry, sign: 1 | -1): void {
    this.#copies += sign;
    this.#bytes += sign * chargedBytes(key, entry);
  }
}
