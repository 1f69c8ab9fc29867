import type { CallOptions, ListOptions } from "../adapter/adapter.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import { compareAndSet } from "./compare-and-set.ts";
import type { Core } from "./core.ts";
import { checkValue, type Reading } from "./entry.ts";
import { KeyRing } from "./key-ring.ts";
import { valuesOf } from "./lookups.ts";
import type { Policy } from "./policy.ts";
import type { Publications } from "./publications.ts";
import { setMany } from "./set-many.ts";
import type { GetOrSetOptions, Source, Sourcing } from "./sourcing.ts";
import type {
  CasOptions,
  DeleteOptions,
  Entry,
  HistoryOptions,
  HistoryPage,
  InvalidateResult,
  KeptEntry,
  ListPage,
  Lookup,
  MergeOptions,
  MutationOptions,
  MutationResult,
  Operand,
  PublishCall,
  Published,
  ReadCall,
  ScopeWatchCall,
  SetManyOptions,
  SetManyResult,
  VersionEntry,
  WriteOptions,
} from "./types.ts";
import type { WatchHandle } from "./watch.ts";
import { type Watches, watchTarget } from "./watches.ts";

/** What a scope takes from its Warp. */
export interface ScopeParts<T> {
  readonly core: Core;
  /** What all keys of the scope begin with. */
  readonly prefix: string;
  readonly pattern: string;
  /** What is registered at first use; undefined: the scope follows what is there. */
  readonly settings: RegistrationSettings | undefined;
  readonly reading: Reading<T>;
  readonly list: (options: ListOptions) => Promise<ListPage>;
  readonly watches: Watches;
  readonly sourcing: Sourcing;
  readonly publications: Publications;
}

/**
 * The keys under one prefix, with one policy and one type of value. Made by `warp.scope`; ids are what follows the prefix.
 */
export class Scope<T> {
  readonly pattern: string;
  readonly #parts: ScopeParts<T>;
  readonly #core: Core;
  readonly #keys: KeyRing;
  readonly #reading: Reading<T>;
  #registered: boolean;
  #policy: Policy | undefined;
  #generation = -1;

  constructor(parts: ScopeParts<T>) {
    this.pattern = parts.pattern;
    this.#parts = parts;
    this.#core = parts.core;
    this.#keys = new KeyRing(parts.prefix);
    this.#reading = parts.reading;
    this.#registered = parts.settings === undefined;
  }

  /** The key of `id`: the scope's prefix and the id. */
  key(id: string): string {
    return this.#keys.key(id);
  }

  /** The value in this node's L1 if it may be served now, without waiting; else undefined. Allocates nothing on a hit. */
  peek(id: string): T | undefined {
    const { parts, reader, registry } = this.#core;
    parts.lifetime.check();
    if (!this.#registered || !registry.isReady) return undefined;
    const key = this.#keys.key(id);
    return reader.peekUnder(this.#policyNow() ?? registry.resolve(key), key, this.#reading);
  }

  /** The value, or undefined where there is none. */
  async get(id: string, options?: ReadCall): Promise<T | undefined> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.reader.get(this.#keys.key(id), this.#reading, options, this.#policyNow());
  }

  /** The value with its version, age and origin, or undefined where there is none. */
  async getEntry(id: string, options?: ReadCall): Promise<Entry<T> | undefined> {
    const found = await this.lookup(id, options);
    return found.value === undefined ? undefined : (found as Entry<T>);
  }

  /** {@link getEntry}, that also tells of a key that isn't there. */
  async lookup(id: string, options?: ReadCall): Promise<Lookup<T>> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.reader.lookup(this.#keys.key(id), this.#reading, options, this.#policyNow());
  }

  /** The values of those ids that have one, by id. At most 1,000 (`batch_too_large`). Throws the first error of any. */
  async getMany(ids: readonly string[], options?: ReadCall): Promise<Map<string, T>> {
    if (!this.#usable()) await this.#prepare(options);
    const keys = ids.map((id) => this.#keys.key(id));
    return await valuesOf(this.#core.reader, keys, this.#reading, options, (at, key) => ids[at] ?? key);
  }

  /** The value, or what `source` gives, which is stored then. See `Warp.getOrSet`. */
  async getOrSet(
    id: string,
    source: () => T | Promise<T>,
    options?: Omit<GetOrSetOptions<T>, "codec">,
  ): Promise<T>;
  async getOrSet(
    id: string,
    source: Source<T>,
    options?: Omit<GetOrSetOptions<T>, "codec">,
  ): Promise<T | undefined>;
  async getOrSet(
    id: string,
    source: Source<T>,
    options?: Omit<GetOrSetOptions<T>, "codec">,
  ): Promise<T | undefined> {
    if (!this.#usable()) await this.#prepare(options);
    const key = this.#keys.key(id);
    return await this.#parts.sourcing.getOrSet(key, source, this.#reading, options, this.#policyNow());
  }

  /** Stores a value. Throws `invalid_value` if the schema refuses it. */
  async set(id: string, value: T, options?: Omit<WriteOptions<T>, "codec">): Promise<MutationResult> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.mutations.set(this.#keys.key(id), value, this.#reading, options);
  }

  /** Merges an operand into the stored value. See `Warp.merge`; the schema is not asked, for an operand is no value. */
  async merge(
    id: string,
    operand: Operand<T>,
    options?: Omit<MergeOptions<T>, "codec">,
  ): Promise<MutationResult> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.mutations.merge(this.#keys.key(id), operand as T, this.#reading, options);
  }

  /** Stores a value if the stored one is `expected`. See `Warp.cas`. */
  async cas(
    id: string,
    expected: T | undefined,
    value: T,
    options?: Omit<CasOptions<T>, "codec">,
  ): Promise<MutationResult> {
    if (!this.#usable()) await this.#prepare(options);
    const key = this.#keys.key(id);
    const checked = await checkValue(value, this.#reading.schema);
    return await compareAndSet(this.#core, key, expected, checked, this.#reading, options);
  }

  /** Stores several values, each with its own verdict; `key` in a verdict is the whole key. */
  async setMany(
    entries: Iterable<readonly [id: string, value: T]>,
    options?: Omit<SetManyOptions<T>, "codec">,
  ): Promise<readonly SetManyResult[]> {
    if (!this.#usable()) await this.#prepare(options);
    const keyed = Array.from(entries, ([id, value]) => [this.#keys.key(id), value] as const);
    return await setMany(this.#core, keyed, this.#reading, options);
  }

  async delete(id: string, options?: DeleteOptions): Promise<MutationResult> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.mutations.delete(this.#keys.key(id), options);
  }

  /** Drops every node's copies of these ids, or of the whole scope; what is stored stays. */
  async invalidate(ids?: readonly string[], options?: MutationOptions): Promise<InvalidateResult> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.invalidations.everywhere(this.#target(ids), options);
  }

  /** Drops this node's copies only; gives how many there were. */
  async invalidateLocal(ids?: readonly string[]): Promise<number> {
    return await this.#core.invalidations.local(this.#target(ids));
  }

  /** A page of the scope's keys (whole keys, not ids). `prefix` continues the scope's own. */
  async list(options: ListOptions = {}): Promise<ListPage> {
    return await this.#parts.list({ ...options, prefix: this.#parts.prefix + (options.prefix ?? "") });
  }

  /** The value that was present at a time. See `Warp.getAt`. */
  async getAt(id: string, time: number | Date, options?: CallOptions): Promise<KeptEntry<T> | undefined> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.versions.at(this.#keys.key(id), time, this.#reading, options);
  }

  /** One kept version. See `Warp.getVersion`. */
  async getVersion(id: string, version: number, options?: CallOptions): Promise<VersionEntry<T>> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.versions.numbered(this.#keys.key(id), version, this.#reading, options);
  }

  async history(id: string, options?: HistoryOptions): Promise<HistoryPage> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.versions.history(this.#keys.key(id), options);
  }

  /** Makes a kept version the present value, as a new version. */
  async restore(id: string, version: number, options?: DeleteOptions): Promise<MutationResult> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#core.mutations.restore(this.#keys.key(id), version, options);
  }

  /** Watches the scope, ids with a prefix, or one id. See `Warp.watch`; keys in items are whole keys. */
  watch(options: ScopeWatchCall<T> = {}): WatchHandle<T> {
    const { id, prefix, ...rest } = options;
    const target = watchTarget(this.#parts.prefix, id, prefix);
    return this.#parts.watches.watch(target, this.#reading, rest, () =>
      this.#usable() ? undefined : this.#prepare(options),
    );
  }

  /** Tells a value to those who watch an id; the schema is asked. See `Warp.publish`. */
  async publish(id: string, value: T, options?: Omit<PublishCall<T>, "codec">): Promise<Published> {
    if (!this.#usable()) await this.#prepare(options);
    return await this.#parts.publications.publish({ key: this.#keys.key(id) }, value, this.#reading, options);
  }

  #target(ids: readonly string[] | undefined) {
    return ids === undefined ? { prefix: this.#parts.prefix } : { keys: ids.map((id) => this.#keys.key(id)) };
  }

  #usable(): boolean {
    return this.#registered && this.#core.registry.isReady;
  }

  async #prepare(options: Pick<CallOptions, "signal" | "timeoutMs"> | undefined): Promise<void> {
    this.#core.parts.lifetime.check();
    const { settings, pattern } = this.#parts;
    if (!this.#registered && settings !== undefined) {
      await this.#core.registry.adopt(pattern, settings, options);
      this.#registered = true;
    }
    await this.#core.registry.ready(options);
  }

  /** The one policy of all keys of the scope; undefined where a longer pattern may speak for some of them. */
  #policyNow(): Policy | undefined {
    const { registry } = this.#core;
    if (this.#generation !== registry.generation) {
      this.#generation = registry.generation;
      this.#policy = registry.resolvePrefix(this.#parts.prefix);
    }
    return this.#policy;
  }
}
