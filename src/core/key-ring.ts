/** Ids that one generation holds at most; two generations are kept. */
const generationSize = 16_384;

/**
 * The whole keys of a scope's ids. Joining prefix and id costs more than the look-up in L1 that follows, so that the keys of ids in
 * use are kept: in two generations, of which the older goes when the younger is full.
 */
export class KeyRing {
  readonly #prefix: string;
  #young = new Map<string, string>();
  #old = new Map<string, string>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  key(id: string): string {
    return this.#young.get(id) ?? this.#remember(id);
  }

  #remember(id: string): string {
    const key = this.#old.get(id) ?? this.#prefix + id;
    if (this.#young.size >= generationSize) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, key);
    return key;
  }
}
