interface PrefixFloor {
  readonly shard: number | undefined;
  readonly prefix: string;
  at: number;
}

/**
 * The least position that a copy must have to enter L1 (rule CO3), per key, per prefix and per shard.
 *
 * Floors only have to outlive the reads that were in flight when they were raised, but no reader says when it ends; so they are kept
 * in bounded number. Those that go raise the floor of their whole shard: that refuses some fills that were harmless,
 * never admits a harmful one, and since the log only grows nothing is refused for long.
 */
export class Floors {
  readonly #shardOf: (key: string) => number;
  readonly #maxKeys: number;
  readonly #maxPrefixes: number;
  readonly #keys = new Map<string, number>();
  readonly #shards = new Map<number, number>();
  readonly #bases = new Map<number, number>();
  #prefixes: PrefixFloor[] = [];

  constructor(shardOf: (key: string) => number, maxKeys = 10_000, maxPrefixes = 64) {
    this.#shardOf = shardOf;
    this.#maxKeys = maxKeys;
    this.#maxPrefixes = maxPrefixes;
  }

  /** The floor of `key`, which lies in `shard`; `-Infinity` where there is none. */
  of(key: string, shard: number): number {
    return Math.max(this.#baseOf(shard), this.known(key, shard));
  }

  /** The floor of `key` as far as it comes from changes: without the shard's base. */
  known(key: string, shard: number): number {
    let floor = this.#shards.get(shard) ?? Number.NEGATIVE_INFINITY;
    if (this.#keys.size > 0) floor = Math.max(floor, this.#keys.get(key) ?? floor);
    for (const entry of this.#prefixes) {
      if (entry.at > floor && (entry.shard ?? shard) === shard && key.startsWith(entry.prefix))
        floor = entry.at;
    }
    return floor;
  }

  ofShard(shard: number): number {
    return Math.max(this.#baseOf(shard), this.#shards.get(shard) ?? Number.NEGATIVE_INFINITY);
  }

  /** Whether changes of `shard` are known from `at` on. */
  isFollowed(shard: number, at: number): boolean {
    return at >= this.#baseOf(shard);
  }

  /** The changes of `shard` are known from `at` on: what is older can't be judged. */
  base(shard: number, at: number): void {
    if (at > this.#baseOf(shard)) this.#bases.set(shard, at);
  }

  #baseOf(shard: number): number {
    return this.#bases.get(shard) ?? Number.NEGATIVE_INFINITY;
  }

  raiseKey(key: string, at: number): void {
    const before = this.#keys.get(key);
    if (before !== undefined && before >= at) return;
    // Anew at the end of the map's order: the one that goes first is the one raised longest ago.
    this.#keys.delete(key);
    this.#keys.set(key, at);
    if (this.#keys.size <= this.#maxKeys) return;
    // Some at a time: to look for the first one of a map costs a walk over all that were deleted before it.
    let left = Math.max(1, this.#maxKeys >> 3);
    for (const [oldest, floor] of this.#keys) {
      this.#keys.delete(oldest);
      this.raiseShard(this.#shardOf(oldest), floor);
      if (--left === 0) break;
    }
  }

  /** For the keys of `shard`, or of all shards, that begin with `prefix`. */
  raisePrefix(prefix: string, at: number, shard?: number): void {
    const same = this.#prefixes.find((entry) => entry.prefix === prefix && entry.shard === shard);
    if (same !== undefined) {
      same.at = Math.max(same.at, at);
      return;
    }
    this.#prefixes.push({ shard, prefix, at });
    if (this.#prefixes.length <= this.#maxPrefixes) return;
    const oldest = this.#prefixes.shift();
    if (oldest === undefined) return;
    // A floor of all shards can't become that of one: it goes on as one for every key.
    if (oldest.shard === undefined) this.raisePrefix("", oldest.at);
    else this.raiseShard(oldest.shard, oldest.at);
  }

  raiseShard(shard: number, at: number): void {
    if (at > (this.#shards.get(shard) ?? Number.NEGATIVE_INFINITY)) this.#shards.set(shard, at);
  }

  clear(): void {
    this.#keys.clear();
    this.#shards.clear();
    this.#bases.clear();
    this.#prefixes = [];
  }

  /** Forgets the floors of `shard`, whose positions count anew from `at` on. */
  reset(shard: number, at: number): void {
    for (const key of [...this.#keys.keys()]) if (this.#shardOf(key) === shard) this.#keys.delete(key);
    this.#prefixes = this.#prefixes.filter((entry) => entry.shard !== shard);
    this.#shards.delete(shard);
    this.#bases.set(shard, at);
  }
}
