const maxKeys = 1_000;

/**
 * Keys of which a broken cache may still hold an old copy, since dropping it failed. Beyond 1,000 every key counts as doubtful. A success
 * settles only doubts that arose before it was begun.
 */
export class Doubts {
  /** When each doubt arose, as {@link now} counts. */
  readonly #keys = new Map<string, number>();
  #all: number | undefined;
  #now = 0;

  /** The number of doubts so far: what to note at the beginning of a call that may settle some. */
  get now(): number {
    return this.#now;
  }

  /** Whether every key is doubtful. */
  get all(): boolean {
    return this.#all !== undefined;
  }

  has(key: string): boolean {
    return this.#all !== undefined || this.#keys.has(key);
  }

  add(key: string): void {
    this.#keys.set(key, ++this.#now);
    if (this.#keys.size > maxKeys) this.addAll();
  }

  addAll(): void {
    this.#all = ++this.#now;
    this.#keys.clear();
  }

  /** A call for `key` that was begun at `begun` left no old copy. */
  settle(key: string, begun: number): void {
    if ((this.#keys.get(key) ?? begun) <= begun) this.#keys.delete(key);
  }

  /** A call that was begun at `begun` left no copies. */
  settleAll(begun: number): void {
    if (this.#all !== undefined && this.#all <= begun) this.#all = undefined;
    for (const key of this.#keys.keys()) this.settle(key, begun);
  }
}
