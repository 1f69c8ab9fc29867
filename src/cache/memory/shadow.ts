import type { EvictionPolicy } from "./policy.ts";

const firstCapacity = 64;
const noCharges = new Uint32Array(0);

/** A cache of key hashes alone, without values: what a policy would hold if it had `room` places. */
export class Shadow {
  readonly #slots = new Map<number, number>();
  readonly #policy: EvictionPolicy;
  #hashes: number[] = [];
  #free: number[] = [];
  #capacity = firstCapacity;
  #used = 0;

  constructor(make: (capacity: number) => EvictionPolicy) {
    this.#policy = make(firstCapacity);
  }

  /** Whether it holds `hash`; a read, which the policy hears of. */
  read(hash: number): boolean {
    const slot = this.#slots.get(hash);
    if (slot === undefined) return false;
    this.#policy.touch(slot);
    return true;
  }

  /** Holds `hash` from now on, if need be in place of others. */
  put(hash: number, room: number): void {
    if (this.#slots.has(hash)) return;
    while (this.#slots.size >= room) {
      const slot = this.#policy.victim(noCharges, false, -1);
      this.forget(this.#hashes[slot] ?? 0);
    }
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >= this.#capacity) {
      this.#capacity *= 2;
      this.#policy.grow(this.#capacity);
    }
    this.#slots.set(hash, slot);
    this.#hashes[slot] = hash;
    this.#policy.add(slot, hash, 0);
  }

  forget(hash: number): void {
    const slot = this.#slots.get(hash);
    if (slot === undefined) return;
    this.#policy.remove(slot, 0);
    this.#slots.delete(hash);
    this.#free.push(slot);
  }
}
