import type { CallOptions, ListOptions } from "../adapter/adapter.ts";
import { checkPattern } from "../protocol/key.ts";
import { formatCursor } from "../protocol/position.ts";
import type { StoredRegistration } from "../protocol/registration.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import type { Codec } from "../runtime/codec.ts";
import { maxListLimit } from "../runtime/limits.ts";
import type { SyncBus } from "../syncbus/syncbus.ts";
import { runBatch } from "./batch.ts";
import { callOptions } from "./call.ts";
import { Core } from "./core.ts";
import { checkPrefix } from "./draft.ts";
import { KeyScope } from "./key-scope.ts";
import { lookupMany, valuesOf } from "./lookups.ts";
import { checkRange, policyOf, resolveSettings } from "./policy.ts";
import { codecOf, readingOf, scopeReading } from "./readings.ts";
import { Scope } from "./scope.ts";
import type { GetOrSetOptions, Source } from "./sourcing.ts";
import type {
  BatchOperation,
  BatchOptions,
  BatchResult,
  DeleteOptions,
  Entry,
  HistoryOptions,
  HistoryPage,
  InvalidateResult,
  InvalidateTarget,
  KeptEntry,
  ListPage,
  Lookup,
  MutationOptions,
  MutationResult,
  ReadOptions,
  RegistrationOptions,
  ScopeOptions,
  SetManyOptions,
  SetManyResult,
  VersionEntry,
  WarmupOptions,
  WarmupProgress,
  WarpEvents,
  WarpOptions,
  WarpStats,
  WriteOptions,
} from "./types.ts";
import { WantedPolicies } from "./wanted-policies.ts";
import { Warmup } from "./warmup.ts";

/**
 * One node of Warp: a cache (L1) over a storage. The same class everywhere; presets put it together. `docs/core.md` tells what its
 * answers promise. After {@link close} every call is `warp_closed`.
 */
export class Warp {
  readonly #core: Core;
  readonly #sharedAdapter: boolean;
  readonly #bus: SyncBus | undefined;
  readonly #wanted: WantedPolicies;

  /** Throws what is wrong with the options: `invalid_argument`, `invalid_pattern`, `invalid_registration`, `invalid_ttl`. */
  constructor(options: WarpOptions) {
    this.#core = new Core(options);
    this.#wanted = new WantedPolicies(this.#core.registry);
    this.#sharedAdapter = options.sharedAdapter ?? false;
    this.#bus = options.bus;
  }

  /**
   * The keys of a pattern with one type of value and one policy: `"user:*"` takes ids, an exact key takes none. A policy is
   * registered at the first use; if the pattern has another one already, that use is `registration_conflict` (here and now if
   * this node knows). Without a policy among the options the scope follows what is registered.
   */
  scope<T>(pattern: `${string}*`, options?: ScopeOptions<T>): Scope<T>;
  scope<T>(pattern: string, options?: ScopeOptions<T>): KeyScope<T>;
  scope<T>(pattern: string, options: ScopeOptions<T> = {}): Scope<T> | KeyScope<T> {
    this.#core.parts.lifetime.check();
    checkPattern(pattern);
    const policy = policyOf(options);
    const settings = policy === undefined ? undefined : resolveSettings(policy);
    if (settings !== undefined) this.#wanted.add(pattern, settings);
    const isPrefix = pattern.endsWith("*");
    const parts = {
      core: this.#core,
      pattern,
      prefix: isPrefix ? pattern.slice(0, -1) : pattern,
      settings,
      reading: scopeReading(codecOf(options), options.schema),
      list: (listOptions: ListOptions) => this.list(listOptions),
    };
    return isPrefix ? new Scope<T>(parts) : new KeyScope<T>(parts);
  }

  /** The value in L1 if it may be served now, without waiting; else undefined. Allocates nothing on a hit. */
  peek<T = unknown>(key: string, options?: { readonly codec?: Codec<T> }): T | undefined {
    return this.#core.reader.peek(key, readingOf(options));
  }

  /** The value, or undefined where there is none. */
  async get<T = unknown>(key: string, options?: ReadOptions<T>): Promise<T | undefined> {
    return await this.#core.reader.get(key, readingOf(options), options);
  }

  /** The value with its version, age and origin, or undefined where there is none. */
  async getEntry<T = unknown>(key: string, options?: ReadOptions<T>): Promise<Entry<T> | undefined> {
    const found = await this.lookup(key, options);
    return found.value === undefined ? undefined : (found as Entry<T>);
  }

  /** {@link getEntry}, that also tells of a key that isn't there (version 0) and at which log position. */
  async lookup<T = unknown>(key: string, options?: ReadOptions<T>): Promise<Lookup<T>> {
    return await this.#core.reader.lookup(key, readingOf(options), options);
  }

  /** The values of those keys that have one. At most 1,000 keys (`batch_too_large`). Throws the first error of any. */
  async getMany<T = unknown>(keys: readonly string[], options?: ReadOptions<T>): Promise<Map<string, T>> {
    return await valuesOf(this.#core.reader, keys, readingOf(options), options);
  }

  /** {@link lookup} of all keys in one go, in order, each key once. */
  async lookupMany<T = unknown>(
    keys: readonly string[],
    options?: ReadOptions<T>,
  ): Promise<Map<string, Lookup<T>>> {
    return await lookupMany(this.#core.reader, keys, readingOf(options), options);
  }

  /**
   * The value, or what `source` gives where there is none: one run per key at a time on this node, its result or its very error
   * shared. What it gives is stored only if the key is still absent; else the stored value is given. `undefined` is given on
   * and not stored. `timeoutMs` bounds the wait of this caller, not the run.
   */
  async getOrSet<T>(key: string, source: () => T | Promise<T>, options?: GetOrSetOptions<T>): Promise<T>;
  async getOrSet<T>(key: string, source: Source<T>, options?: GetOrSetOptions<T>): Promise<T | undefined>;
  async getOrSet<T>(key: string, source: Source<T>, options?: GetOrSetOptions<T>): Promise<T | undefined> {
    return await this.#core.sourcing.getOrSet(key, source, readingOf(options), options);
  }

  /** Stores a value; this node reads it from L1 from now on. A condition that fails is `precondition_failed`. */
  async set<T = unknown>(key: string, value: T, options?: WriteOptions<T>): Promise<MutationResult> {
    return await this.#core.mutations.set(key, value, readingOf(options), options);
  }

  /** Stores up to 1,000 values in one call, each with its own verdict, in order. */
  async setMany<T = unknown>(
    entries: Iterable<readonly [key: string, value: T]>,
    options?: SetManyOptions<T>,
  ): Promise<readonly SetManyResult[]> {
    return await this.#core.mutations.setMany(entries, readingOf(options), options);
  }

  /** Deletes a key from the storage and from all caches. An absent key is no error: see `existed`. */
  async delete(key: string, options?: DeleteOptions): Promise<MutationResult> {
    return await this.#core.mutations.delete(key, options);
  }

  /** Up to 1,000 reads and mutations in one call, each with its own verdict, as if done in order. Not atomic. */
  async batch(
    operations: readonly BatchOperation[],
    options?: BatchOptions,
  ): Promise<readonly BatchResult[]> {
    const { parts, reader, writer } = this.#core;
    return await runBatch(parts, reader, writer, operations, options);
  }

  /** The value that was present at `time` (a Date, or wall-clock ms of the authority); undefined: there was none. Beyond the kept history: `version_compacted`. */
  async getAt<T = unknown>(
    key: string,
    time: number | Date,
    options?: ReadOptions<T>,
  ): Promise<KeptEntry<T> | undefined> {
    return await this.#core.versions.at(key, time, readingOf(options), options);
  }

  /** One kept version. `not_found` where the key never had it, `version_compacted` where it is no longer kept. */
  async getVersion<T = unknown>(
    key: string,
    version: number,
    options?: ReadOptions<T>,
  ): Promise<VersionEntry<T>> {
    return await this.#core.versions.numbered(key, version, readingOf(options), options);
  }

  /** A page of a key's kept versions, newest first, without their values. */
  async history(key: string, options?: HistoryOptions): Promise<HistoryPage> {
    return await this.#core.versions.history(key, options);
  }

  /** Makes a kept version the present value, as a new version. */
  async restore(key: string, version: number, options?: DeleteOptions): Promise<MutationResult> {
    return await this.#core.mutations.restore(key, version, options);
  }

  /**
   * Loads into L1 what storage has under the registered patterns, or under those named; tells how far it is. A key that can't be loaded is
   * named and the others go on; a list that fails, or the signal, ends it. Nothing runs until it is iterated over.
   */
  warmup(options: WarmupOptions = {}): AsyncGenerator<WarmupProgress, void, void> {
    const { parts, registry, loader, lives } = this.#core;
    parts.lifetime.check();
    return new Warmup(parts, registry, loader, lives.demand, options).run();
  }

  /** Drops every node's copies of up to 1,000 keys, of a prefix, or of all values with any of up to 16 tags; what is stored stays. */
  async invalidate(target: InvalidateTarget, options?: MutationOptions): Promise<InvalidateResult> {
    return await this.#core.invalidations.everywhere(target, options);
  }

  /** Drops this node's copies only; gives how many there were. */
  async invalidateLocal(target: InvalidateTarget): Promise<number> {
    return await this.#core.invalidations.local(target);
  }

  /** A page of keys, from the storage, in order of their UTF-8 bytes. */
  async list(options: ListOptions = {}): Promise<ListPage> {
    this.#core.parts.lifetime.check();
    checkCallLimits(options);
    if (options.limit !== undefined) checkRange("invalid_limit", "limit", options.limit, 1, maxListLimit);
    if (options.prefix !== undefined) checkPrefix(options.prefix);
    const page = await this.#core.parts.adapter.list(options);
    return { items: page.items, cursor: page.cursor, asOf: page.asOf.map(formatCursor) };
  }

  /** Registers a pattern's policy, or confirms it; another than the present one needs `ifVersion`. */
  async register(
    pattern: string,
    options: RegistrationOptions = {},
    call: CallOptions & { readonly ifVersion?: number } = {},
  ): Promise<{ readonly registration: StoredRegistration; readonly created: boolean }> {
    this.#core.parts.lifetime.check();
    const ifVersion = call.ifVersion === undefined ? {} : { ifVersion: call.ifVersion };
    return await this.#core.registry.register(pattern, resolveSettings(options), {
      ...callOptions(call),
      ...ifVersion,
    });
  }

  /** Removes a registration; gives whether there was one. Its keys follow the next shorter pattern, or the default. */
  async unregister(pattern: string, call?: CallOptions): Promise<boolean> {
    this.#core.parts.lifetime.check();
    this.#wanted.delete(pattern);
    return await this.#core.registry.unregister(pattern, call);
  }

  async registration(pattern: string, call?: CallOptions): Promise<StoredRegistration | undefined> {
    this.#core.parts.lifetime.check();
    return await this.#core.registry.get(pattern, call);
  }

  /** All registrations: the static ones first. */
  async registrations(call?: CallOptions): Promise<readonly StoredRegistration[]> {
    this.#core.parts.lifetime.check();
    return await this.#core.registry.list(call);
  }

  /** Listens; the answer ends it. What a listener throws is an `error` event, never the operation's. */
  on<E extends keyof WarpEvents>(event: E, listener: (event: WarpEvents[E]) => void): () => void {
    this.#core.parts.lifetime.check();
    return this.#core.parts.emitter.on(event, listener);
  }

  /** Figures since this node was made; also after {@link close}. */
  stats(): WarpStats {
    const { adjustments, hotKeys } = this.#core.lives.demand;
    return {
      ...this.#core.parts.counters,
      ttlAdjustments: adjustments,
      hotKeys,
      cache: this.#core.parts.cache.stats(),
    };
  }

  /** Ends this node: who waits gets `warp_closed`, L1 is emptied, the bus is closed, the adapter too unless it is shared. Idempotent. */
  async close(): Promise<void> {
    const { lifetime, emitter, cache, adapter } = this.#core.parts;
    if (lifetime.closed) return;
    lifetime.end();
    emitter.clear();
    await cache.clear();
    await this.#bus?.close();
    if (!this.#sharedAdapter) await adapter.close();
  }
}
