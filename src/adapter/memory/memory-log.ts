import type { Change } from "../adapter.ts";

/** The changes of one in-process storage: revisions 1, 2, 3 …, of which a transaction's entries share one; about the newest `maxEntries` entries are kept. */
export class MemoryLog {
  readonly #maxEntries: number;
  #entries: Change[] = [];
  #head = 0;
  #floor = 0;
  /** Inside {@link together}: whether an entry has taken the revision that they share. */
  #shared: { taken: boolean } | undefined;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** The newest revision; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** The oldest revision that {@link since} can go back to. */
  get floor(): number {
    return this.#floor;
  }

  /** What `work` appends shares one revision. */
  together<T>(work: () => T): T {
    this.#shared = { taken: false };
    try {
      return work();
    } finally {
      this.#shared = undefined;
    }
  }

  /** Adds an entry and gives its revision. */
  append(kind: Change["kind"], key: string): number {
    if (this.#shared?.taken !== true) this.#head++;
    if (this.#shared !== undefined) this.#shared.taken = true;
    this.#entries.push({ revision: this.#head, kind, key });
    // In one piece now and then: shifting one by one would move the whole array each time.
    if (this.#entries.length >= this.#maxEntries * 2) this.#trim();
    return this.#head;
  }

  /** At most `limit` entries after `revision`, and the rest of the last one's revision; `revision` must not be below the floor. */
  since(revision: number, limit: number): readonly Change[] {
    const first = this.#after(revision);
    const last = this.#entries[Math.min(first + limit, this.#entries.length) - 1];
    return this.#entries.slice(first, last === undefined ? first : this.#after(last.revision));
  }

  #trim(): void {
    const goes = this.#entries.at(-this.#maxEntries - 1)?.revision ?? this.#floor;
    this.#entries = this.#entries.slice(this.#after(goes));
    this.#floor = goes;
  }

  /** The place of the first entry after `revision`. */
  #after(revision: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
