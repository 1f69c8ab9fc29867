import type { CacheEntry } from "../cache/cache.ts";
import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import { Call } from "./call.ts";
import { type Reading, readValue } from "./entry.ts";
import type { Follower } from "./follower.ts";
import { type Found, toLookup } from "./found.ts";
import { Freshness } from "./freshness.ts";
import type { L1 } from "./l1.ts";
import type { Lives } from "./lives.ts";
import { type Loaded, type Need, outcomeOf, type Settled } from "./loaded.ts";
import type { Loader } from "./loader.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";
import type { Refresher } from "./refresher.ts";
import type { Registry } from "./registry.ts";
import { Rescue } from "./rescue.ts";
import { countHit, countLoad, countMiss } from "./tally.ts";
import type { Tenures } from "./tenures.ts";
import { tooMany } from "./too-many.ts";
import type { Lookup, ReadCall } from "./types.ts";

/** Reads: from L1 as far as the key's mode allows, else through the loader. */
export class Reader {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #l1: L1;
  readonly #follower: Follower;
  readonly #loader: Loader;
  readonly #lives: Lives;
  readonly #refresher: Refresher;
  readonly #rescue: Rescue;
  readonly #freshness: Freshness;
  readonly #tenures: Tenures;

  constructor(
    parts: Parts,
    registry: Registry,
    l1: L1,
    follower: Follower,
    loader: Loader,
    lives: Lives,
    refresher: Refresher,
    tenures: Tenures,
  ) {
    this.#lives = lives;
    this.#tenures = tenures;
    this.#freshness = new Freshness(parts, l1, follower, lives, tenures);
    this.#refresher = refresher;
    this.#rescue = new Rescue(parts, refresher, {
      resolve: (needs, call, counts) => this.#findMissed(needs, call, counts),
      held: (need) => this.#held(need),
      isGraced: ({ key, settings }, entry) => lives.isGraced(key, entry, settings, parts.clock.now()),
      countMiss: (need) => countMiss(parts, need),
    });
    this.#parts = parts;
    this.#registry = registry;
    this.#l1 = l1;
    this.#follower = follower;
    this.#loader = loader;
  }

  /** The value in L1 if it may be served now, without waiting. */
  peek<T>(key: string, reading: Reading<T>): T | undefined {
    this.#parts.lifetime.check();
    if (!this.#registry.isReady) return undefined;
    return this.peekUnder(this.#registry.resolve(key), key, reading);
  }

  /** {@link peek} of an open, ready node, under the key's policy. */
  peekUnder<T>(settings: Policy, key: string, reading: Reading<T>): T | undefined {
    const entry = this.#serve(key, settings);
    if (entry === undefined) {
      // Only here: what is in L1 came in under a valid key.
      checkKey(key);
      return undefined;
    }
    const value = readValue(entry, reading);
    if (value instanceof Promise) {
      // A schema that takes its time: the check goes on, so that a later peek has its result.
      this.#parts.background.run(value.catch(() => undefined));
      return undefined;
    }
    countHit(this.#parts, key);
    return value;
  }

  async get<T>(
    key: string,
    reading: Reading<T>,
    options: ReadCall | undefined,
    policy?: Policy,
  ): Promise<T | undefined> {
    const { entry } = await this.find(key, options, policy);
    return entry === undefined ? undefined : readValue(entry, reading);
  }

  async lookup<T>(
    key: string,
    reading: Reading<T>,
    options: ReadCall | undefined,
    policy?: Policy,
  ): Promise<Lookup<T>> {
    return await toLookup(await this.find(key, options, policy), reading, this.#parts.clock);
  }

  /** The lookups of all `keys`, each key once, each with its own error. Throws only what concerns the caller. */
  async each<T>(
    keys: readonly string[],
    reading: Reading<T>,
    options: ReadCall | undefined,
  ): Promise<Map<string, Settled<Lookup<T>>>> {
    if (keys.length > maxBatchOperations) throw tooMany(keys.length);
    const found = await this.#findEach([...new Set(keys)], options);
    const lookups = new Map<string, Settled<Lookup<T>>>();
    for (const [key, settled] of found) {
      try {
        if (!("value" in settled)) throw settled.error;
        lookups.set(key, { value: await toLookup(settled.value, reading, this.#parts.clock) });
      } catch (error) {
        lookups.set(key, { error });
      }
    }
    return lookups;
  }

  /** The copy of one key. */
  async find(key: string, options: ReadCall | undefined, policy?: Policy): Promise<Found> {
    this.#parts.lifetime.check();
    checkCallLimits(options);
    const call = this.#registry.isReady ? undefined : new Call(this.#parts, options);
    if (call !== undefined) await this.#registry.ready(call);
    const settings = policy ?? this.#registry.resolve(key);
    const entry = this.#serve(key, settings);
    if (entry !== undefined) {
      countHit(this.#parts, key);
      return { key, entry, cache: "hit", loaded: undefined };
    }
    checkKey(key);
    const absence = this.#absent(key, settings);
    if (absence !== undefined) return absence;
    const [settled] = await this.#rescue.find(
      [{ key, settings }],
      call ?? new Call(this.#parts, options),
      options?.allowStale,
    );
    if (settled === undefined) throw new WarpError("internal", "a key was left unanswered");
    if (!("value" in settled)) throw settled.error;
    return settled.value;
  }

  /** The stale copy of a key, if there is one to give: it counts as given. */
  async stale(need: Need): Promise<CacheEntry | undefined> {
    const settled = await this.#rescue.stale(need);
    return settled?.value?.entry;
  }

  /** Whether {@link stale} has one. */
  haveStale(need: Need): Promise<boolean> {
    return this.#rescue.haveStale([need]);
  }

  async #findEach(
    keys: readonly string[],
    options: ReadCall | undefined,
  ): Promise<Map<string, Settled<Found>>> {
    this.#parts.lifetime.check();
    const call = new Call(this.#parts, options);
    const waiting = this.#registry.ready(call);
    if (waiting !== undefined) await waiting;
    const found = new Map<string, Settled<Found>>();
    const missed: Need[] = [];
    for (const key of keys) {
      try {
        checkKey(key);
        const settings = this.#registry.resolve(key);
        const entry = this.#serve(key, settings);
        const absence = entry === undefined ? this.#absent(key, settings) : undefined;
        if (absence !== undefined) found.set(key, { value: absence });
        else if (entry === undefined) missed.push({ key, settings });
        else {
          countHit(this.#parts, key);
          found.set(key, { value: { key, entry, cache: "hit", loaded: undefined } });
        }
      } catch (error) {
        found.set(key, { error });
      }
    }
    const loaded = await this.#rescue.find(missed, call, options?.allowStale);
    for (const [i, { key }] of missed.entries()) {
      const settled = loaded[i];
      if (settled !== undefined) found.set(key, settled);
    }
    return found;
  }

  /** What L1 did not give at once: after catching up with the log, where that may help, else loaded. */
  async #findMissed(needs: readonly Need[], call: Call, counts: boolean): Promise<readonly Settled<Found>[]> {
    const results: (Settled<Found> | undefined)[] = needs.map(() => undefined);
    await this.#freshness.catchUp(needs, call);
    const misses: { readonly need: Need; readonly at: number }[] = [];
    for (const [at, need] of needs.entries()) {
      const entry = await this.#serveLate(need);
      if (entry === undefined) misses.push({ need, at });
      else {
        countHit(this.#parts, need.key);
        results[at] = { value: { key: need.key, entry, cache: "hit", loaded: undefined } };
      }
    }
    let loads: readonly Settled<Loaded>[] = [];
    try {
      loads = await this.#loader.load(
        misses.map(({ need }) => need),
        call,
      );
    } finally {
      for (const [i, { need }] of misses.entries()) countLoad(this.#parts, need, loads[i], counts);
    }
    for (const [i, { need, at }] of misses.entries()) {
      const load = loads[i] ?? { error: new WarpError("internal", "a key was left unanswered") };
      if (!("value" in load)) results[at] = load;
      else {
        const cache = outcomeOf(load.value, need);
        results[at] = { value: { key: need.key, entry: load.value.entry, cache, loaded: load.value } };
      }
    }
    return results.map(
      (settled) => settled ?? { error: new WarpError("internal", "a key was left unanswered") },
    );
  }

  /** The copy that may be served now. Allocates nothing on a hit. */
  #serve(key: string, settings: Policy): CacheEntry | undefined {
    if (this.#mayServe(settings)) {
      const nowMs = this.#parts.clock.now();
      const { extra } = settings;
      if (extra !== undefined) this.#lives.note(key, extra, nowMs);
      const entry = this.#parts.cache.peek(key, nowMs);
      if (entry !== undefined && this.#freshness.isFresh(key, entry, settings, nowMs)) {
        if (extra !== undefined) this.#afterHit(key, entry, settings, nowMs);
        return entry;
      }
    }
    return undefined;
  }

  /** The same after a wait: from a cache that can't be peeked into, or once the log was caught up with. */
  async #serveLate(need: Need): Promise<CacheEntry | undefined> {
    const { key, settings } = need;
    const entry = await this.#held(need);
    const nowMs = this.#parts.clock.now();
    if (entry === undefined || !this.#freshness.isFresh(key, entry, settings, nowMs)) return undefined;
    if (settings.extra !== undefined) this.#afterHit(key, entry, settings, nowMs);
    return entry;
  }

  /** The copy as the cache has it, also one that must wait, unless a change has outdated it. */
  async #held({ key, settings }: Need): Promise<CacheEntry | undefined> {
    // The space may have been found to be another one while this waited.
    if (!this.#mayServe(settings) || !this.#registry.isOfThisLife) return undefined;
    const { cache, clock } = this.#parts;
    if (cache.supports.peek) return this.#l1.inspect(key);
    const entry = await cache.get(key, clock.now());
    if (entry === undefined) return undefined;
    const epoch = this.#follower.epoch(entry.shard ?? this.#parts.adapter.shardOf(key));
    return this.#l1.isStanding(key, entry, epoch) ? entry : undefined;
  }

  #afterHit(key: string, entry: CacheEntry, settings: Policy, nowMs: number): void {
    if (this.#lives.afterHit(key, entry, settings, nowMs)) this.#refresher.refresh({ key, settings });
  }

  /** What L1 knows not to be there, if that is fresh enough. */
  #absent(key: string, settings: Policy): Found | undefined {
    if (settings.extra?.negativeTtlMs === undefined) return undefined;
    const nowMs = this.#parts.clock.now();
    const loaded = this.#l1.absences.of(key, nowMs);
    if (loaded === undefined) return undefined;
    const { position, begun } = loaded;
    if (settings.mode !== "local" && !this.#freshness.isProven(position.shard, begun.atMs, settings, nowMs))
      return undefined;
    countHit(this.#parts, key);
    return { key, entry: undefined, cache: "hit", loaded };
  }

  #mayServe(settings: Policy): boolean {
    // Without a storage behind it L1 is all there is: no other place is more right.
    return settings.mode !== "strong" || this.#tenures.mayHold || !this.#parts.adapter.supports.storage;
  }
}
