import type { Codec } from "../runtime/codec.ts";
import { compareAndSet } from "./compare-and-set.ts";
import type { Core } from "./core.ts";
import { lookupMany, valuesOf } from "./lookups.ts";
import { readingOf } from "./readings.ts";
import { setMany } from "./set-many.ts";
import type {
  CasOptions,
  Entry,
  Lookup,
  MutationResult,
  ReadOptions,
  SetManyOptions,
  SetManyResult,
  WarpOptions,
} from "./types.ts";
import { WarpNode } from "./warp-node.ts";

/** Further ways to read and write, for who has a node in its own process. */
export class WarpValues extends WarpNode {
  readonly #core: Core;

  constructor(core: Core, options: WarpOptions, directories?: ConstructorParameters<typeof WarpNode>[2]) {
    super(core, options, directories);
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
   * Stores a value if the stored bytes are exactly those of `expected` (undefined: if there is none), judged at the authority; else
   * `precondition_failed`. Of several at once with one expectation exactly one is done (rule TX7).
   */
  async cas<T = unknown>(
    key: string,
    expected: T | undefined,
    value: T,
    options?: CasOptions<T>,
  ): Promise<MutationResult> {
    return await compareAndSet(this.#core, key, expected, value, readingOf(options), options);
  }

  /** Stores up to 1,000 values in one call, each with its own verdict, in order. */
  async setMany<T = unknown>(
    entries: Iterable<readonly [key: string, value: T]>,
    options?: SetManyOptions<T>,
  ): Promise<readonly SetManyResult[]> {
    return await setMany(this.#core, entries, readingOf(options), options);
  }
}
