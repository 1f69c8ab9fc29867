/** The ids of the last events: a repeated delivery is known by its own. Bounded; the oldest is forgotten first. */
export class SeenIds {
  readonly #ids = new Set<string>();
  readonly #max: number;

  constructor(max = 10_000) {
    this.#max = max;
  }

  /** Notes `id`; gives whether it is new. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size <= this.#max) return true;
    // Some at a time: to look for the first one of a set costs a walk over all that were deleted before it.
    let left = Math.max(1, this.#max >> 3);
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      if (--left === 0) break;
    }
    return true;
  }

  /** Takes an id for a new one again. */
  forget(id: string): void {
    this.#ids.delete(id);
  }
}
