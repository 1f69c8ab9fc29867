import type { ListOptions } from "../adapter/adapter.ts";
import { formatCursor } from "../protocol/position.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { maxListLimit } from "../runtime/limits.ts";
import type { Core } from "./core.ts";
import { checkPrefix } from "./draft.ts";
import { checkRange } from "./policy.ts";
import { readingOf } from "./readings.ts";
import type {
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

  /** The value with its version, age and origin; also tells of a key that isn't there (version 0) and at which log position. */
  async lookup<T = unknown>(key: string, options?: ReadOptions<T>): Promise<Lookup<T>> {
    return await this.#core.reader.lookup(key, readingOf(options), options);
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
