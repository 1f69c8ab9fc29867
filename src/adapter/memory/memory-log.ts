import type { Change } from "../adapter.ts";

/** The changes of one in-process storage: revisions 1, 2, 3 …, the newest `maxEntries` of them kept. */
export class MemoryLog {
  readonly #maxEntries: number;
  #entries: Change[] = [];
  #head = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** The newest revision; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** The oldest revision that {@link since} can go back to. */
  get floor(): number {
    return this.#head - this.#entries.length;
  }

  /** Adds an entry and gives its revision. */
  append(kind: Change["kind"], key: string): number {
    this.#entries.push({ revision: ++this.#head, kind, key });
    // In one piece now and then: shifting one by one would move the whole array each time.
    if (this.#entries.length >= this.#maxEntries * 2) this.#entries = this.#entries.slice(-this.#maxEntries);
    return this.#head;
  }

  /** At most `limit` entries after `revision`, which must not be below the floor. */
  since(revision: number, limit: number): readonly Change[] {
    const first = revision - this.floor;
    return this.#entries.slice(first, first + limit);
  }
}
