import type { CallOptions } from "../adapter/adapter.ts";
import type { CacheEntry } from "../cache/cache.ts";
import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { formatCursor } from "../protocol/position.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import { Call } from "./call.ts";
import { type Reading, readValue, toEntry } from "./entry.ts";
import type { Follower } from "./follower.ts";
import type { L1 } from "./l1.ts";
import type { Loaded, Loader, Need, Settled } from "./loader.ts";
import type { Parts } from "./parts.ts";
import type { Registry } from "./registry.ts";
import type { CacheOutcome, Lookup } from "./types.ts";

/** A key's copy, from L1 or from the storage. */
export interface Found {
  readonly key: string;
  readonly entry: CacheEntry | undefined;
  readonly cache: CacheOutcome;
  /** What the load gave; undefined for a hit. */
  readonly loaded: Loaded | undefined;
}

/** Reads: from L1 as far as the key's mode allows, else through the loader. */
export class Reader {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #l1: L1;
  readonly #follower: Follower;
  readonly #loader: Loader;

  constructor(parts: Parts, registry: Registry, l1: L1, follower: Follower, loader: Loader) {
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
  peekUnder<T>(settings: RegistrationSettings, key: string, reading: Reading<T>): T | undefined {
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
    this.#countHit(key);
    return value;
  }

  async get<T>(
    key: string,
    reading: Reading<T>,
    options: CallOptions | undefined,
    policy?: RegistrationSettings,
  ): Promise<T | undefined> {
    const { entry } = await this.find(key, options, policy);
    return entry === undefined ? undefined : readValue(entry, reading);
  }

  async lookup<T>(
    key: string,
    reading: Reading<T>,
    options: CallOptions | undefined,
    policy?: RegistrationSettings,
  ): Promise<Lookup<T>> {
    return await this.#toLookup(await this.find(key, options, policy), reading);
  }

  /** The lookups of all `keys`, each key once, each with its own error. Throws only what concerns the caller. */
  async each<T>(
    keys: readonly string[],
    reading: Reading<T>,
    options: CallOptions | undefined,
  ): Promise<Map<string, Settled<Lookup<T>>>> {
    if (keys.length > maxBatchOperations) throw tooMany(keys.length);
    const found = await this.#findEach([...new Set(keys)], options);
    const lookups = new Map<string, Settled<Lookup<T>>>();
    for (const [key, settled] of found) {
      try {
        if (!("value" in settled)) throw settled.error;
        lookups.set(key, { value: await this.#toLookup(settled.value, reading) });
      } catch (error) {
        lookups.set(key, { error });
      }
    }
    return lookups;
  }

  /** The copy of one key. */
  async find(key: string, options: CallOptions | undefined, policy?: RegistrationSettings): Promise<Found> {
    this.#parts.lifetime.check();
    checkCallLimits(options);
    const call = this.#registry.isReady ? undefined : new Call(this.#parts, options);
    if (call !== undefined) await this.#registry.ready(call);
    const settings = policy ?? this.#registry.resolve(key);
    const entry = this.#serve(key, settings);
    if (entry !== undefined) {
      this.#countHit(key);
      return { key, entry, cache: "hit", loaded: undefined };
    }
    checkKey(key);
    const [settled] = await this.#findMissed([{ key, settings }], call ?? new Call(this.#parts, options));
    if (settled === undefined) throw new WarpError("internal", "a key was left unanswered");
    if (!("value" in settled)) throw settled.error;
    return settled.value;
  }

  async #findEach(
    keys: readonly string[],
    options: CallOptions | undefined,
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
        if (entry === undefined) missed.push({ key, settings });
        else {
          this.#countHit(key);
          found.set(key, { value: { key, entry, cache: "hit", loaded: undefined } });
        }
      } catch (error) {
        found.set(key, { error });
      }
    }
    const loaded = await this.#findMissed(missed, call);
    for (const [i, { key }] of missed.entries()) {
      const settled = loaded[i];
      if (settled !== undefined) found.set(key, settled);
    }
    return found;
  }

  /** What L1 did not give at once: after catching up with the log, where that may help, else loaded. */
  async #findMissed(needs: readonly Need[], call: Call): Promise<readonly Settled<Found>[]> {
    const results: (Settled<Found> | undefined)[] = needs.map(() => undefined);
    await this.#catchUp(needs, call);
    const misses: { readonly need: Need; readonly at: number }[] = [];
    for (const [at, need] of needs.entries()) {
      const entry = await this.#serveLate(need);
      if (entry === undefined) misses.push({ need, at });
      else {
        this.#countHit(need.key);
        results[at] = { value: { key: need.key, entry, cache: "hit", loaded: undefined } };
      }
    }
    for (const { need } of misses) this.#countMiss(need);
    const loads = await this.#loader.load(
      misses.map(({ need }) => need),
      call,
    );
    for (const [i, { need, at }] of misses.entries()) {
      const load = loads[i] ?? { error: new WarpError("internal", "a key was left unanswered") };
      if (!("value" in load)) results[at] = load;
      else {
        const cache = need.settings.mode === "strong" ? "bypass" : "miss";
        results[at] = { value: { key: need.key, entry: load.value.entry, cache, loaded: load.value } };
      }
    }
    return results.map(
      (settled) => settled ?? { error: new WarpError("internal", "a key was left unanswered") },
    );
  }

  /** The copy that may be served now. Allocates nothing on a hit. */
  #serve(key: string, settings: RegistrationSettings): CacheEntry | undefined {
    if (this.#mayServe(settings)) {
      const nowMs = this.#parts.clock.now();
      const entry = this.#parts.cache.peek(key, nowMs);
      if (entry !== undefined && this.#isFresh(key, entry, settings, nowMs)) return entry;
    }
    return undefined;
  }

  /** The same after a wait: from a cache that can't be peeked into, or once the log was caught up with. */
  async #serveLate({ key, settings }: Need): Promise<CacheEntry | undefined> {
    // The space may have been found to be another one while this waited.
    if (!this.#mayServe(settings) || !this.#registry.isOfThisLife) return undefined;
    const { cache, clock } = this.#parts;
    const entry = cache.supports.peek ? this.#l1.inspect(key) : await cache.get(key, clock.now());
    if (entry === undefined || !this.#isFresh(key, entry, settings, clock.now())) return undefined;
    const epoch = this.#follower.epoch(entry.shard ?? this.#parts.adapter.shardOf(key));
    return cache.supports.peek || this.#l1.isStanding(key, entry, epoch) ? entry : undefined;
  }

  #mayServe(settings: RegistrationSettings): boolean {
    // Without a storage behind it L1 is all there is: no other place is more right.
    return settings.mode !== "strong" || !this.#parts.adapter.supports.storage;
  }

  #isFresh(key: string, entry: CacheEntry, settings: RegistrationSettings, nowMs: number): boolean {
    // The policy may have changed since the copy was made.
    if (nowMs >= entry.storedAtMs + settings.cacheTtlMs) return false;
    const { adapter } = this.#parts;
    if (settings.mode === "local" || !adapter.supports.storage) return true;
    const bound = settings.maxStalenessMs;
    let ageMs = nowMs - entry.storedAtMs;
    if (ageMs * 2 <= bound) return true;
    if (!adapter.supports.changes) return ageMs <= bound;
    const shard = entry.shard ?? adapter.shardOf(key);
    ageMs = Math.min(ageMs, nowMs - this.#follower.provenAtMs(shard));
    if (ageMs > bound) return false;
    if (ageMs * 2 > bound) this.#follower.kick(shard);
    return true;
  }

  /** Catches up with the logs of all shards of which a copy is held that is too old to be served as it is. */
  async #catchUp(needs: readonly Need[], call: Call): Promise<void> {
    const { adapter, cache, clock, joinTimeoutMs } = this.#parts;
    if (!adapter.supports.changes || !adapter.supports.storage) return;
    const bounds = new Map<number, number>();
    for (const { key, settings } of needs) {
      if (settings.mode !== "eventual") continue;
      const held = this.#l1.inspect(key);
      // A cache that can't be looked into may hold a copy.
      if (
        cache.supports.peek &&
        (held === undefined || clock.now() >= held.storedAtMs + settings.cacheTtlMs)
      ) {
        continue;
      }
      const shard = held?.shard ?? adapter.shardOf(key);
      if (this.#follower.epoch(shard) === undefined) continue;
      if (clock.now() - this.#follower.provenAtMs(shard) <= settings.maxStalenessMs) continue;
      bounds.set(shard, Math.min(bounds.get(shard) ?? settings.maxStalenessMs, settings.maxStalenessMs));
    }
    if (bounds.size === 0) return;
    const works = [...bounds].map(async ([shard, boundMs]) => {
      try {
        await this.#follower.catchUp(shard, clock.now() - boundMs);
      } catch {
        // The follower told of it. These keys are read at the authority, which will say what is wrong.
      }
    });
    // One that takes too long is left to itself, too: what L1 can't prove then is read at the authority.
    await call.wait(Promise.all(works), joinTimeoutMs);
  }

  async #toLookup<T>({ key, entry, cache, loaded }: Found, reading: Reading<T>): Promise<Lookup<T>> {
    if (entry !== undefined) {
      return toEntry(key, entry, await readValue(entry, reading), cache, this.#parts.clock.now());
    }
    const cursor = loaded === undefined ? "" : formatCursor(loaded.position);
    return { key, value: undefined, version: 0, cursor, cache };
  }

  #countHit(key: string): void {
    const { counters, emitter } = this.#parts;
    counters.hits++;
    if (emitter.has("hit")) emitter.emit("hit", { key });
  }

  #countMiss({ key, settings }: Need): void {
    const { counters, emitter } = this.#parts;
    if (settings.mode === "strong") counters.bypasses++;
    else counters.misses++;
    if (emitter.has("miss")) emitter.emit("miss", { key });
  }
}

export function tooMany(count: number): WarpError {
  return new WarpError("batch_too_large", `${count} operations in one call; at most ${maxBatchOperations}`, {
    details: { count, max: maxBatchOperations },
  });
}
