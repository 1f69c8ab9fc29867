/** No slot. */
export const none = -1;

/** Doubly linked lists of slots, oldest to newest, in flat arrays: a slot is in one list at most. */
export class SlotLists {
  #older: Int32Array;
  #newer: Int32Array;
  readonly #oldest: Int32Array;
  readonly #newest: Int32Array;

  constructor(lists: number, capacity: number) {
    this.#older = new Int32Array(capacity);
    this.#newer = new Int32Array(capacity);
    this.#oldest = new Int32Array(lists).fill(none);
    this.#newest = new Int32Array(lists).fill(none);
  }

  /** Makes room for slots up to `capacity`. */
  grow(capacity: number): void {
    const [older, newer] = [this.#older, this.#newer];
    this.#older = new Int32Array(capacity);
    this.#older.set(older);
    this.#newer = new Int32Array(capacity);
    this.#newer.set(newer);
  }

  /** The oldest slot of `list`, or {@link none}. */
  oldest(list: number): number {
    return this.#oldest[list] ?? none;
  }

  /** The next newer slot of the same list, or {@link none}. */
  newer(slot: number): number {
    return this.#newer[slot] ?? none;
  }

  /** Puts `slot`, which is in no list, to the newest end of `list`. */
  push(list: number, slot: number): void {
    const newest = this.#newest[list] ?? none;
    this.#older[slot] = newest;
    this.#newer[slot] = none;
    if (newest === none) this.#oldest[list] = slot;
    else this.#newer[newest] = slot;
    this.#newest[list] = slot;
  }

  /** Takes `slot` out of `list`, where it must be. */
  unlink(list: number, slot: number): void {
    const older = this.#older[slot] ?? none;
    const newer = this.#newer[slot] ?? none;
    if (older === none) this.#oldest[list] = newer;
    else this.#newer[older] = newer;
    if (newer === none) this.#newest[list] = older;
    else this.#older[newer] = older;
  }

  /** Moves all slots of `from` to the newest end of `to`, in their order. */
  append(to: number, from: number): void {
    const first = this.#oldest[from] ?? none;
    if (first === none || to === from) return;
    const newest = this.#newest[to] ?? none;
    this.#older[first] = newest;
    if (newest === none) this.#oldest[to] = first;
    else this.#newer[newest] = first;
    this.#newest[to] = this.#newest[from] ?? none;
    this.#oldest[from] = none;
    this.#newest[from] = none;
  }

  /** All lists are empty. */
  clear(): void {
    this.#oldest.fill(none);
    this.#newest.fill(none);
  }
}
