import type { EvictionPolicy } from "./policy.ts";
import { SlotLists } from "./slot-lists.ts";

/** Gives up what was read or written least recently. A read moves a slot to the front of one list. */
export class Lru implements EvictionPolicy {
  readonly leading = "lru";
  readonly #order: SlotLists;

  constructor(capacity: number) {
    this.#order = new SlotLists(1, capacity);
  }

  grow(capacity: number): void {
    this.#order.grow(capacity);
  }

  touch(slot: number): void {
    this.#order.unlink(0, slot);
    this.#order.push(0, slot);
  }

  add(slot: number): void {
    this.#order.push(0, slot);
  }

  renew(slot: number): void {
    this.touch(slot);
  }

  remove(slot: number): void {
    this.#order.unlink(0, slot);
  }

  victim(_bytes: Uint32Array, _byBytes: boolean, spare: number): number {
    const oldest = this.#order.oldest(0);
    return oldest === spare ? this.#order.newer(oldest) : oldest;
  }

  evict(slot: number): void {
    this.remove(slot);
  }

  clear(): void {
    this.#order.clear();
  }
}
