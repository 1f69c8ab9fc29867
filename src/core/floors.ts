interface PrefixFloor {
  readonly shard: number | undefined;
  readonly prefix: string;
  at: number;
}

/**
 * The least position that a copy must have to enter L1 (rule CO3), per key, per prefix and per shard.
 *
 * Floors only have to outlive the reads that were in flight when they were raised, but no reader says when it ends; so they are kept
 * in bounded number. The one that goes raises the floor of its whole shard: that refuses some fills that were harmless,
 * never admits a harmful one, and since the log only grows nothing is refused for long.
 */
export class Floors {
  readonly #shardOf: (key: string) => number;
  readonly #maxKeys: number;
  readonly #maxPrefixes: number;
  readonly #keys = new Map<string, number>();
  readonly #shards = new Map<number, number>();
  #prefixes: PrefixFloor[] = [];

  constructor(shardOf: (key: string) => number, maxKeys = 10_000, maxPrefixes = 64) {
    this.#shardOf = shardOf;
    this.#maxKeys = maxKeys;
    this.#maxPrefixes = maxPrefixes;
  }

  /** The floor of `key`, which lies in `shard`; `-Infinity` where there is none. */
  of(key: string, shard: number): number {
    let floor = this.ofShard(shard);
    if (this.#keys.size > 0) floor = Math.max(floor, this.#keys.get(key) ?? floor);
    for (const entry of this.#prefixes) {
      if (entry.at > floor && (entry.shard ?? shard) === shard && key.startsWith(entry.prefix))
        floor = entry.at;
    }
    return floor;
  }

  ofShard(shard: number): number {
    return this.#shards.get(shard) ?? Number.NEGATIVE_INFINITY;
  }

  raiseKey(key: string, at: number): void {
    const before = this.#keys.get(key);
    if (before !== undefined && before >= at) return;
    // Anew at the end of the map's order: the one that goes first is the one raised longest ago.
    this.#keys.delete(key);
    this.#keys.set(key, at);
    if (this.#keys.size <= this.#maxKeys) return;
    for (const [oldest, floor] of this.#keys) {
      this.#keys.delete(oldest);
      this.raiseShard(this.#shardOf(oldest), floor);
      break;
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
    if (at > this.ofShard(shard)) this.#shards.set(shard, at);
  }

  clear(): void {
    this.#keys.clear();
    this.#shards.clear();
    this.#prefixes = [];
  }

  /** Forgets the floors of `shard`, whose positions count anew from `at` on. */
  reset(shard: number, at: number): void {
    for (const key of [...this.#keys.keys()]) if (this.#shardOf(key) === shard) this.#keys.delete(key);
    this.#prefixes = this.#prefixes.filter((entry) => entry.shard !== shard);
    this.#shards.set(shard, at);
  }
}
