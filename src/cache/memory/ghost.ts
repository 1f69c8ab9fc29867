/**
 * What was evicted lately, as hashes in a flat, direct-mapped table. A collision forgets the older of the two, which costs a
 * late promotion and never a wrong answer: the table only hints at where a new entry goes.
 */
export class Ghost {
  #hashes: Uint32Array;
  #stamps: Uint32Array;
  /** How many evictions a hash is remembered for. */
  #span: number;
  #now = 1;

  constructor(span: number) {
    this.#span = span;
    this.#hashes = new Uint32Array(tableSize(span));
    this.#stamps = new Uint32Array(this.#hashes.length);
  }

  /** Notes an eviction. */
  remember(hash: number): void {
    if (this.#now === 0xffff_ffff) this.clear();
    const place = hash & (this.#hashes.length - 1);
    this.#hashes[place] = hash;
    this.#stamps[place] = this.#now++;
  }

  /** Whether `hash` was evicted lately; forgets it. */
  take(hash: number): boolean {
    const place = hash & (this.#hashes.length - 1);
    const stamp = this.#stamps[place] ?? 0;
    if (stamp === 0 || this.#hashes[place] !== hash) return false;
    this.#stamps[place] = 0;
    return this.#now - stamp <= this.#span;
  }

  /** Remembers for `span` evictions from now on; what was known is kept where it still fits. */
  resize(span: number): void {
    this.#span = span;
    const size = tableSize(span);
    if (size === this.#hashes.length) return;
    const [hashes, stamps] = [this.#hashes, this.#stamps];
    this.#hashes = new Uint32Array(size);
    this.#stamps = new Uint32Array(size);
    for (let i = 0; i < hashes.length; i++) {
      const hash = hashes[i] ?? 0;
      const stamp = stamps[i] ?? 0;
      const place = hash & (size - 1);
      if (stamp <= (this.#stamps[place] ?? 0)) continue;
      this.#hashes[place] = hash;
      this.#stamps[place] = stamp;
    }
  }

  clear(): void {
    this.#stamps.fill(0);
    this.#now = 1;
  }
}

/** Twice the span, so that few hashes share a place; a power of two, so that a mask finds it. */
function tableSize(span: number): number {
  let size = 16;
  while (size < span * 2) size *= 2;
  return size;
}
