import { Duel } from "./duel.ts";
import { Lfu } from "./lfu.ts";
import { Lru } from "./lru.ts";
import type { EvictionPolicy } from "./policy.ts";

/**
 * LRU or LFU, whichever does better on a sample of the keys at present: see {@link Duel}. The entries are held once; only the two
 * orders, some bytes for each slot, are kept side by side, so that a change of the leader needs no rebuilding. It begins as LRU, and
 * nothing is sampled before the first eviction, since until then every policy does the same.
 */
export class Adaptive implements EvictionPolicy {
  readonly #lru: Lru;
  readonly #lfu: Lfu;
  #hashes: Uint32Array;
  #slots = 0;
  #duel: Duel | undefined;

  constructor(capacity: number) {
    this.#lru = new Lru(capacity);
    this.#lfu = new Lfu(capacity);
    this.#hashes = new Uint32Array(capacity);
  }

  get leading(): "lru" | "lfu" {
    return this.#duel?.leading ?? "lru";
  }

  grow(capacity: number): void {
    this.#lru.grow(capacity);
    this.#lfu.grow(capacity);
    const hashes = this.#hashes;
    this.#hashes = new Uint32Array(capacity);
    this.#hashes.set(hashes);
  }

  touch(slot: number): void {
    this.#lru.touch(slot);
    this.#lfu.touch(slot);
    const duel = this.#duel;
    if (duel === undefined) return;
    const hash = this.#hashes[slot] ?? 0;
    if (!duel.samples(hash)) return;
    duel.read(hash);
    duel.put(hash);
  }

  /** The key enters the shadows only if it is then stored: most keys that don't exist are not. */
  miss(hash: number): void {
    if (this.#duel?.samples(hash) === true) this.#duel.read(hash);
  }

  add(slot: number, hash: number): void {
    this.#lru.add(slot);
    this.#lfu.add(slot);
    this.#hashes[slot] = hash;
    this.#slots++;
    if (this.#duel?.samples(hash) === true) this.#duel.put(hash);
  }

  renew(slot: number): void {
    this.#lru.renew(slot);
    this.#lfu.renew(slot);
  }

  remove(slot: number): void {
    this.#duel?.forget(this.#hashes[slot] ?? 0);
    this.#unlink(slot);
  }

  victim(bytes: Uint32Array, byBytes: boolean, spare: number): number {
    const order = this.leading === "lru" ? this.#lru : this.#lfu;
    return order.victim(bytes, byBytes, spare);
  }

  evict(slot: number): void {
    if (this.#duel?.resize(this.#slots) !== true) this.#duel = new Duel(this.#slots, this.leading);
    this.#unlink(slot);
  }

  clear(): void {
    this.#lru.clear();
    this.#lfu.clear();
    this.#slots = 0;
    this.#duel = undefined;
  }

  #unlink(slot: number): void {
    this.#lru.remove(slot);
    this.#lfu.remove(slot);
    this.#slots--;
  }
}
