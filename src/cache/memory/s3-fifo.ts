import { Ghost } from "./ghost.ts";
import type { EvictionPolicy } from "./policy.ts";

const none = -1;
const inSmall = 0;
const inMain = 1;
const maxFrequency = 3;
/** The small queue's share of a full cache: a tenth. */
const smallShare = 10;

/**
 * The order in which slots are given up: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).
 *
 * New slots enter a small queue. At its end those that were read go on to the main queue, the others leave and are remembered as
 * ghosts; what comes back as a ghost enters the main queue at once. At the end of the main queue a slot that was read goes round
 * again with its frequency lowered. A read only raises a saturating counter: no list is touched, which is what makes a hit cheap.
 * Where the paper asks for two reads in the small queue we ask for one, so that a cache of a few entries honours a single read.
 */
export class S3Fifo implements EvictionPolicy {
  readonly leading = "s3-fifo";
  #prev: Int32Array;
  #next: Int32Array;
  #frequency: Uint8Array;
  #queue: Uint8Array;
  /** Head (newest), tail (oldest), count and bytes of the two queues. */
  readonly #head: [number, number] = [none, none];
  readonly #tail: [number, number] = [none, none];
  readonly #count: [number, number] = [0, 0];
  readonly #bytes: [number, number] = [0, 0];
  readonly #ghost: Ghost;

  constructor(capacity: number) {
    this.#prev = new Int32Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#frequency = new Uint8Array(capacity);
    this.#queue = new Uint8Array(capacity);
    this.#ghost = new Ghost(capacity);
  }

  /** Makes room for slots up to `capacity`. */
  grow(capacity: number): void {
    this.#prev = grown(this.#prev, new Int32Array(capacity));
    this.#next = grown(this.#next, new Int32Array(capacity));
    this.#frequency = grown(this.#frequency, new Uint8Array(capacity));
    this.#queue = grown(this.#queue, new Uint8Array(capacity));
    this.#ghost.resize(capacity);
  }

  /** A slot was read. */
  touch(slot: number): void {
    const frequency = this.#frequency[slot] ?? maxFrequency;
    if (frequency < maxFrequency) this.#frequency[slot] = frequency + 1;
  }

  /** A new slot, charged with `bytes`. */
  add(slot: number, hash: number, bytes: number): void {
    this.#frequency[slot] = 0;
    this.#link(slot, this.#ghost.take(hash) ? inMain : inSmall, bytes);
  }

  /** The slot has a new value: it is the newest of its queue again, its frequency stays. */
  renew(slot: number, oldBytes: number, bytes: number): void {
    const queue = this.#queue[slot] === inMain ? inMain : inSmall;
    this.#unlink(slot, oldBytes);
    this.#link(slot, queue, bytes);
  }

  /** The slot is gone by another way than eviction. */
  remove(slot: number, bytes: number): void {
    this.#unlink(slot, bytes);
  }

  /**
   * The slot to give up now, never `spare`; it stays linked until {@link evict} or {@link remove}. `bytes` holds each slot's charge;
   * `byBytes` says which bound presses, and with it how the small queue's share is measured. A slot beside `spare` must be linked.
   */
  victim(bytes: Uint32Array, byBytes: boolean, spare: number): number {
    const measure = byBytes ? this.#bytes : this.#count;
    for (;;) {
      const total = measure[inSmall] + measure[inMain];
      const wanted = measure[inSmall] * smallShare >= total ? inSmall : inMain;
      const queue = this.#hasOther(wanted, spare) ? wanted : wanted === inSmall ? inMain : inSmall;
      const slot = this.#tail[queue];
      const frequency = this.#frequency[slot] ?? 0;
      if (frequency === 0 && slot !== spare) return slot;
      const charge = bytes[slot] ?? 0;
      this.#unlink(slot, charge);
      if (slot !== spare) this.#frequency[slot] = queue === inSmall ? 0 : frequency - 1;
      this.#link(slot, inMain, charge);
    }
  }

  /** The slot is given up; what never left the small queue is remembered as a ghost. */
  evict(slot: number, hash: number, bytes: number): void {
    if (this.#queue[slot] === inSmall) this.#ghost.remember(hash);
    this.#unlink(slot, bytes);
  }

  clear(): void {
    for (const queue of [inSmall, inMain] as const) {
      this.#head[queue] = none;
      this.#tail[queue] = none;
      this.#count[queue] = 0;
      this.#bytes[queue] = 0;
    }
    this.#ghost.clear();
  }

  /** Whether the queue holds a slot that may go. */
  #hasOther(queue: 0 | 1, spare: number): boolean {
    return this.#count[queue] > 1 || (this.#count[queue] === 1 && this.#head[queue] !== spare);
  }

  #link(slot: number, queue: 0 | 1, bytes: number): void {
    const head = this.#head[queue];
    this.#queue[slot] = queue;
    this.#prev[slot] = none;
    this.#next[slot] = head;
    if (head === none) this.#tail[queue] = slot;
    else this.#prev[head] = slot;
    this.#head[queue] = slot;
    this.#count[queue]++;
    this.#bytes[queue] += bytes;
  }

  #unlink(slot: number, bytes: number): void {
    const queue = this.#queue[slot] === inMain ? inMain : inSmall;
    const prev = this.#prev[slot] ?? none;
    const next = this.#next[slot] ?? none;
    if (prev === none) this.#head[queue] = next;
    else this.#next[prev] = next;
    if (next === none) this.#tail[queue] = prev;
    else this.#prev[next] = prev;
    this.#count[queue]--;
    this.#bytes[queue] -= bytes;
  }
}

function grown<T extends Int32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
