import type { ListOptions } from "../adapter/adapter.ts";
import { formatCursor } from "../protocol/position.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import type { Codec } from "../runtime/codec.ts";
import { maxListLimit } from "../runtime/limits.ts";
import type { Core } from "./core.ts";
import { checkPrefix } from "./draft.ts";
import { lookupMany, valuesOf } from "./lookups.ts";
import { checkRange } from "./policy.ts";
import { readingOf } from "./readings.ts";
import type {
  Entry,
  HistoryOptions,
  HistoryPage,
  KeptEntry,
  ListPage,
  Lookup,
  ReadOptions,
  VersionEntry,
} from "./types.ts";

/** What a node answers about keys. */
export class WarpReads {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
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

  /** A page of keys, from the storage, in order of their UTF-8 bytes. */
  async list(options: ListOptions = {}): Promise<ListPage> {
    this.#core.parts.lifetime.check();
    checkCallLimits(options);
    if (options.limit !== undefined) checkRange("invalid_limit", "limit", options.limit, 1, maxListLimit);
    if (options.prefix !== undefined) checkPrefix(options.prefix);
    const page = await this.#core.parts.adapter.list(options);
    return { items: page.items, cursor: page.cursor, asOf: page.asOf.map(formatCursor) };
  }
}
