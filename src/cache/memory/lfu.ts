import type { EvictionPolicy } from "./policy.ts";
import { none, SlotLists } from "./slot-lists.ts";

/** Reads are counted up to one less than this. */
const levels = 128;
/** All counts are halved once there were this many reads for each slot, so that old fame fades. */
const readsPerHalving = 10;
const minHalvingReads = 256;

/**
 * Gives up what was read least often, among equals the least recent. There is one list for each count, so that every step takes
 * constant time. Counts saturate at 127 and are halved now and then.
 */
export class Lfu implements EvictionPolicy {
  readonly leading = "lfu";
  readonly #order: SlotLists;
  #counts: Uint8Array;
  #slots = 0;
  #reads = 0;

  constructor(capacity: number) {
    this.#order = new SlotLists(levels, capacity);
    this.#counts = new Uint8Array(capacity);
  }

  grow(capacity: number): void {
    this.#order.grow(capacity);
    const counts = this.#counts;
    this.#counts = new Uint8Array(capacity);
    this.#counts.set(counts);
  }

  touch(slot: number): void {
    const count = this.#counts[slot] ?? 0;
    const raised = count < levels - 1 ? count + 1 : count;
    this.#order.unlink(count, slot);
    this.#order.push(raised, slot);
    this.#counts[slot] = raised;
    if (++this.#reads >= Math.max(minHalvingReads, this.#slots * readsPerHalving)) this.#halve();
  }

  add(slot: number): void {
    this.#counts[slot] = 0;
    this.#order.push(0, slot);
    this.#slots++;
  }

  /** The newest of its count again; a write is no read. */
  renew(slot: number): void {
    const count = this.#counts[slot] ?? 0;
    this.#order.unlink(count, slot);
    this.#order.push(count, slot);
  }

  remove(slot: number): void {
    this.#order.unlink(this.#counts[slot] ?? 0, slot);
    this.#slots--;
  }

  victim(_bytes: Uint32Array, _byBytes: boolean, spare: number): number {
    for (let count = 0; count < levels; count++) {
      const oldest = this.#order.oldest(count);
      const slot = oldest !== none && oldest === spare ? this.#order.newer(oldest) : oldest;
      if (slot !== none) return slot;
    }
    return none;
  }

  evict(slot: number): void {
    this.remove(slot);
  }

  clear(): void {
    this.#order.clear();
    this.#slots = 0;
    this.#reads = 0;
  }

  #halve(): void {
    this.#reads = 0;
    for (let slot = 0; slot < this.#counts.length; slot++) {
      this.#counts[slot] = (this.#counts[slot] ?? 0) >> 1;
    }
    for (let count = 1; count < levels; count++) this.#order.append(count >> 1, count);
  }
}
