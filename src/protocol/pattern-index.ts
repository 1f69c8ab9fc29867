/**
 * Which pattern speaks for a key (rule CO1): the exact key if it is one, else the longest prefix. Both the nodes' registry and the
 * shard's strict check ask this one.
 */
export class PatternIndex<T> {
  readonly #exact = new Map<string, T>();
  /** Prefixes (without their `*`) by length in UTF-16 units, longest first. */
  #lengths: number[] = [];
  readonly #prefixes = new Map<string, T>();

  /** Adds or replaces the value of `pattern`. */
  set(pattern: string, value: T): void {
    if (pattern.endsWith("*")) {
      const prefix = pattern.slice(0, -1);
      this.#prefixes.set(prefix, value);
      // Most additions bring no new length, and a space may have thousands of patterns.
      if (!this.#lengths.includes(prefix.length)) this.#measure();
    } else this.#exact.set(pattern, value);
  }

  /** Removes `pattern`; gives whether it was there. */
  delete(pattern: string): boolean {
    if (!pattern.endsWith("*")) return this.#exact.delete(pattern);
    const removed = this.#prefixes.delete(pattern.slice(0, -1));
    this.#measure();
    return removed;
  }

  /** The value of this very pattern. */
  get(pattern: string): T | undefined {
    return pattern.endsWith("*") ? this.#prefixes.get(pattern.slice(0, -1)) : this.#exact.get(pattern);
  }

  /** The value that speaks for `key`. One look-up for each different prefix length. */
  match(key: string): T | undefined {
    const exact = this.#exact.get(key);
    if (exact !== undefined) return exact;
    for (const length of this.#lengths) {
      if (length > key.length) continue;
      const value = this.#prefixes.get(key.slice(0, length));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #measure(): void {
    this.#lengths = [...new Set([...this.#prefixes.keys()].map((prefix) => prefix.length))].sort(
      (a, b) => b - a,
    );
  }
}
