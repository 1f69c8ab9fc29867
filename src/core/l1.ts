import type { CacheEntry } from "../cache/cache.ts";
import type { Change } from "../protocol/shard-api.ts";
import { Absences } from "./absences.ts";
import { epochOf } from "./entry.ts";
import { Floors } from "./floors.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import { TagFloors } from "./tag-floors.ts";

/**
 * What became of a fill: `kept`; `held`: L1 has a newer copy, this one; `refused`: the key changed while the answer was on its way, a
 * new answer would do; `barred`: the whole shard's answers from before are refused.
 */
export type Admission =
  | { readonly as: "kept" | "refused" | "barred" }
  | { readonly as: "held"; readonly entry: CacheEntry };

const kept: Admission = { as: "kept" };
const refused: Admission = { as: "refused" };
const barred: Admission = { as: "barred" };

/**
 * The node's cache under the floor rule (CO3): a copy enters only if its log position is not below its key's floor, and never takes
 * the place of a newer one.
 *
 * Two rows of floors are kept: log positions, raised by log entries and own writes, and the node's own order of sending, raised by
 * what has no log position (a local invalidation, a write of unknown fate).
 */
export class L1 {
  readonly #parts: Parts;
  readonly #floors: Floors;
  readonly #barriers: Floors;
  readonly #tags = new TagFloors();
  #barrierAtMs = Number.NEGATIVE_INFINITY;
  /** What is known not to be there. */
  readonly absences = new Absences();

  constructor(parts: Parts) {
    this.#parts = parts;
    const shardOf = (key: string): number => parts.adapter.shardOf(key);
    this.#floors = new Floors(shardOf);
    this.#barriers = new Floors(shardOf);
  }

  /** The copy of `key` as it is held, for coherence: counts nothing. */
  inspect(key: string): CacheEntry | undefined {
    const held = this.#parts.cache.inspect(key, this.#parts.clock.now());
    return held !== undefined && this.keeps(key, held) ? held : undefined;
  }

  /** Whether no tag of a copy was invalidated since it was true (rule CO9): asked before each serving, costs an untagged one a look. */
  keeps(key: string, entry: CacheEntry): boolean {
    return entry.tags === undefined || this.#tags.keeps(entry, () => this.#parts.adapter.shardOf(key));
  }

  /** Whether a value with these tags, true at `asOf`, stands. */
  tagsStand(tags: readonly string[] | undefined, shard: number, asOf: number): boolean {
    return tags === undefined || this.#tags.stands(tags, shard, asOf);
  }

  /**
   * Whether a copy that a waiting cache gave still stands: the floor may have been raised, or the shard's life have changed, while it
   * was fetched.
   */
  isStanding(key: string, entry: CacheEntry, epoch: string | undefined): boolean {
    if (epoch === undefined || epochOf(entry) !== epoch) return false;
    return this.keeps(key, entry) && entry.asOf >= this.#floors.of(key, this.#parts.adapter.shardOf(key));
  }

  /** Whether something known at `asOf` to a question sent at `begun` still stands: `key` did not change since. */
  stands(key: string, shard: number, asOf: number, begun: Moment): boolean {
    return this.#judge(key, shard, asOf, begun) === kept;
  }

  /** When something was last dropped of which no log position tells, by the node's clock: copies from before may be what had to go. */
  get barrierAtMs(): number {
    return this.#barrierAtMs;
  }

  /** Whether a change that this node knows of, of the key or of a tag, outdates a copy. */
  refutes(key: string, shard: number, entry: CacheEntry): boolean {
    return entry.asOf < this.#floors.known(key, shard) || !this.tagsStand(entry.tags, shard, entry.asOf);
  }

  /** Whether all changes of `shard` from `asOf` on are known to this node, or will be by its log. */
  isFollowed(shard: number, asOf: number): boolean {
    return this.#floors.isFollowed(shard, asOf);
  }

  /** Lets an answer's copy in, if it may. `begun` is when the question was sent, `tenure` under which it may be served in strong mode. */
  async admit(
    key: string,
    shard: number,
    entry: CacheEntry,
    begun: Moment,
    tenure?: number,
  ): Promise<Admission> {
    const held = this.inspect(key);
    if (held !== undefined && (held.asOf > entry.asOf || held.version > entry.version)) {
      return { as: "held", entry: held };
    }
    const judged = this.#judge(key, shard, entry.asOf, begun);
    const verdict = judged === kept && !this.keeps(key, entry) ? refused : judged;
    if (verdict !== kept) {
      this.#parts.counters.refusedFills++;
      return verdict;
    }
    await this.#parts.cache.set(key, entry);
    if (tenure !== undefined) this.#hold(key, shard, entry, begun, tenure);
    return kept;
  }

  /**
   * Allows strong reads a copy that stands in the cache by now: an invalidation that came while it was being stored has raised its floor, and one
   * that comes later finds and drops it. A tenure that has ended meanwhile does no harm: none comes back.
   */
  #hold(key: string, shard: number, entry: CacheEntry, begun: Moment, tenure: number): void {
    if (this.inspect(key) === entry && this.#judge(key, shard, entry.asOf, begun) === kept) {
      entry.tenure = tenure;
    }
  }

  /** What an answer means that found the key absent: an older copy goes, a newer one counts. */
  async admitAbsence(key: string, shard: number, asOf: number, begun: Moment): Promise<Admission> {
    // Where nothing is stored behind L1, absence there says nothing.
    if (!this.#parts.adapter.supports.storage) return kept;
    const held = this.inspect(key);
    if (held !== undefined && held.asOf > asOf) return { as: "held", entry: held };
    if (held !== undefined) await this.#parts.cache.delete(key);
    return this.#judge(key, shard, asOf, begun);
  }

  /** An answer true at `asOf` did not enter L1, though it may: a copy from before it goes. */
  dropOlder(key: string, asOf: number): Promise<boolean> | boolean {
    const held = this.inspect(key);
    return held !== undefined && held.asOf < asOf && this.#parts.cache.delete(key);
  }

  #judge(key: string, shard: number, asOf: number, begun: Moment): Admission {
    if (asOf < this.#floors.ofShard(shard) || begun.order <= this.#barriers.ofShard(shard)) return barred;
    if (asOf < this.#floors.of(key, shard) || begun.order <= this.#barriers.of(key, shard)) return refused;
    return kept;
  }

  /** `key` changed at `revision`: older answers stay out, an older copy goes. Gives whether one went. */
  outdate(key: string, revision: number): Promise<boolean> | boolean {
    this.#floors.raiseKey(key, revision);
    this.absences.drop(key, revision);
    const { cache } = this.#parts;
    // A cache that can't be looked into may hold an old copy: it goes in any case.
    if (cache.supports.peek) {
      const held = this.inspect(key);
      if (held === undefined || held.asOf >= revision) return false;
    }
    return cache.delete(key);
  }

  /** The keys of `shard` that begin with `prefix` were invalidated at `revision`. */
  outdatePrefix(prefix: string, shard: number, revision: number): Promise<number> | number {
    this.#floors.raisePrefix(prefix, revision, shard);
    this.absences.dropWhere((key, of) => of === shard && key.startsWith(prefix));
    const { adapter, cache } = this.#parts;
    return cache.deleteWhere((key) => {
      if (!key.startsWith(prefix) || adapter.shardOf(key) !== shard) return false;
      const held = this.inspect(key);
      return held === undefined || held.asOf < revision;
    });
  }

  /** All copies of `shard` with this tag were invalidated at `revision`. None is looked for: each is found out when it is asked for. */
  outdateTag(tag: string, shard: number, revision: number): void {
    this.#tags.raise(tag, shard, revision);
  }

  /** Drops all copies with any of these tags, and refuses every answer to a question sent before now: their tags are not known. */
  async forgetTags(tags: readonly string[]): Promise<number> {
    this.#barrierAtMs = this.#parts.clock.now();
    this.#barriers.raisePrefix("", this.#parts.moments.latest);
    const { cache, clock } = this.#parts;
    return await cache.deleteWhere((key) => {
      const held = cache.inspect(key, clock.now());
      return held === undefined || held.tags?.some((tag) => tags.includes(tag)) === true;
    });
  }

  /** Drops the copy of `key`, and refuses answers to questions sent before now. */
  async forget(key: string): Promise<boolean> {
    this.#barrierAtMs = this.#parts.clock.now();
    this.#barriers.raiseKey(key, this.#parts.moments.latest);
    this.absences.drop(key);
    return await this.#parts.cache.delete(key);
  }

  /** {@link forget} for all keys that begin with `prefix`, of whatever shard. */
  async forgetPrefix(prefix: string): Promise<number> {
    this.#barrierAtMs = this.#parts.clock.now();
    this.#barriers.raisePrefix(prefix, this.#parts.moments.latest);
    this.absences.dropWhere((key) => key.startsWith(prefix));
    return await this.#parts.cache.deleteWhere((key) => key.startsWith(prefix));
  }

  /** Everything held of `shard` goes, and answers to questions sent before now stay out. */
  forgetShard(shard: number): Promise<unknown> | undefined {
    this.#barrierAtMs = this.#parts.clock.now();
    this.#barriers.raiseShard(shard, this.#parts.moments.latest);
    const dropped = this.#deleteShard(shard);
    return dropped instanceof Promise ? dropped : undefined;
  }

  /** The shard's log is known from `revision` on: what is older can't be kept up to date and stays out. */
  base(shard: number, revision: number): void {
    this.#floors.base(shard, revision);
  }

  /**
   * Everything held of `shard` goes, and its positions count anew from `revision`: every answer on its way that is older, or of another
   * life of the shard, stays out. In a life that goes on (`isSameLife`) the floors stand: an invalidation may be newer than `revision`, and is not told again.
   */
  async drop(shard: number, revision: number, isSameLife = false): Promise<void> {
    this.#barrierAtMs = this.#parts.clock.now();
    if (isSameLife) this.#floors.base(shard, revision);
    else {
      this.#floors.reset(shard, revision);
      this.#tags.reset(shard);
    }
    await this.#deleteShard(shard);
  }

  #deleteShard(shard: number): Promise<number> | number {
    const { adapter, cache, clock } = this.#parts;
    this.absences.dropWhere((_key, of) => of === shard);
    const held = (key: string): CacheEntry | undefined => cache.inspect(key, clock.now());
    // A space made anew may have another number of shards: a copy goes with the shard that it came from, too.
    return cache.deleteWhere((key) => adapter.shardOf(key) === shard || held(key)?.shard === shard);
  }

  /** Everything goes, positions included: the space is another one. What is on its way from the old one stays out. */
  async dropAll(): Promise<void> {
    this.#floors.clear();
    this.#tags.clear();
    this.#barriers.clear();
    this.absences.dropWhere(() => true);
    await this.forgetPrefix("");
  }

  /** Applies log entries in order. All floors are raised at once; the answer is what to wait for, where the cache makes one wait. */
  apply(shard: number, changes: readonly Change[]): Promise<unknown> | undefined {
    const { emitter } = this.#parts;
    const waits: Promise<void>[] = [];
    for (const { kind, key, revision } of changes) {
      if (kind === "register" || kind === "leaseEnd") continue;
      if (kind === "invalidateTag") {
        this.outdateTag(key, shard, revision);
        if (emitter.has("invalidate")) emitter.emit("invalidate", { tag: key, source: "log" });
        continue;
      }
      const isPrefix = kind === "invalidatePrefix";
      // A promise only where the cache gives one: a page has thousands of changes.
      const dropped = isPrefix ? this.outdatePrefix(key, shard, revision) : this.outdate(key, revision);
      const what = isPrefix ? { prefix: key } : { key };
      if (dropped instanceof Promise) waits.push(dropped.then((some) => this.#tellDropped(what, some)));
      else this.#tellDropped(what, dropped);
    }
    return waits.length > 0 ? Promise.all(waits) : undefined;
  }

  #tellDropped(
    what: { readonly key: string } | { readonly prefix: string },
    dropped: boolean | number,
  ): void {
    const { emitter } = this.#parts;
    if (dropped !== false && dropped !== 0 && emitter.has("invalidate"))
      emitter.emit("invalidate", { ...what, source: "log" });
  }
}
