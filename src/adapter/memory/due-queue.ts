/** A binary heap of keys by their due time. Entries are never taken back: who pops one checks whether it still holds. */
export class DueQueue {
  readonly #keys: string[] = [];
  readonly #times: number[] = [];

  /** The earliest due time; `Infinity` where there is none. */
  get nextMs(): number {
    return this.#times[0] ?? Number.POSITIVE_INFINITY;
  }

  push(key: string, dueMs: number): void {
    let at = this.#times.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#time(parent) <= dueMs) break;
      this.#put(at, this.#keys[parent] ?? "", this.#time(parent));
      at = parent;
    }
    this.#put(at, key, dueMs);
  }

  /** Takes out the earliest. */
  pop(): string | undefined {
    const first = this.#keys[0];
    const key = this.#keys.pop();
    const dueMs = this.#times.pop();
    if (key === undefined || dueMs === undefined || this.#times.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (this.#time(child + 1) < this.#time(child)) child++;
      if (this.#time(child) >= dueMs) break;
      this.#put(at, this.#keys[child] ?? "", this.#time(child));
      at = child;
    }
    this.#put(at, key, dueMs);
    return first;
  }

  #time(at: number): number {
    return this.#times[at] ?? Number.POSITIVE_INFINITY;
  }

  #put(at: number, key: string, dueMs: number): void {
    this.#keys[at] = key;
    this.#times[at] = dueMs;
  }
}
