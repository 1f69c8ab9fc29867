import type { Cache, CacheEntry, CacheStats, CacheSupports } from "../cache.ts";
import { Doubts } from "./doubts.ts";

/**
 * A cache whose failures are misses (rule CO8): the error goes to `onError` and is counted in `stats().errors`; the caller goes on without
 * the cache. A copy that could not be dropped is not served by this node: its key is a miss until a later `set` or `delete` of it
 * succeeds. If `deleteWhere` or `clear` failed, or more than 1,000 keys are in doubt, all is a miss until a `clear`, which the next
 * `set` tries first, succeeds. Other nodes that share the cache know nothing of that: there the reader's check of age decides.
 */
export function resilientCache(inner: Cache, onError: (error: unknown) => void): Cache {
  return new ResilientCache(inner, onError);
}

class ResilientCache implements Cache {
  readonly supports: CacheSupports;
  readonly #inner: Cache;
  readonly #onError: (error: unknown) => void;
  readonly #doubts = new Doubts();
  #errors = 0;

  constructor(inner: Cache, onError: (error: unknown) => void) {
    this.#inner = inner;
    this.#onError = onError;
    this.supports = inner.supports;
  }

  peek(key: string, nowMs: number): CacheEntry | undefined {
    if (this.#doubts.has(key)) return undefined;
    try {
      return this.#inner.peek(key, nowMs);
    } catch (error) {
      return this.#failed(error);
    }
  }

  inspect(key: string, nowMs: number): CacheEntry | undefined {
    if (this.#doubts.has(key)) return undefined;
    try {
      return this.#inner.inspect(key, nowMs);
    } catch (error) {
      return this.#failed(error);
    }
  }

  get(key: string, nowMs: number): Promise<CacheEntry | undefined> | CacheEntry | undefined {
    if (this.#doubts.has(key)) return undefined;
    try {
      const entry = this.#inner.get(key, nowMs);
      return entry instanceof Promise ? this.#await(key, entry) : entry;
    } catch (error) {
      return this.#failed(error);
    }
  }

  async set(key: string, entry: CacheEntry): Promise<boolean> {
    if (this.#doubts.all) await this.clear();
    if (this.#doubts.all) return false;
    const begun = this.#doubts.now;
    try {
      const kept = await this.#inner.set(key, entry);
      this.#doubts.settle(key, begun);
      return kept;
    } catch (error) {
      // The old copy may be there still, and it is not known which one a broken write left.
      this.#doubts.add(key);
      this.#failed(error);
      return false;
    }
  }

  async delete(key: string): Promise<boolean> {
    const begun = this.#doubts.now;
    try {
      const had = await this.#inner.delete(key);
      this.#doubts.settle(key, begun);
      return had;
    } catch (error) {
      this.#doubts.add(key);
      this.#failed(error);
      return false;
    }
  }

  async deleteWhere(test: (key: string) => boolean): Promise<number> {
    try {
      return await this.#inner.deleteWhere(test);
    } catch (error) {
      this.#doubts.addAll();
      this.#failed(error);
      return 0;
    }
  }

  async clear(): Promise<void> {
    const begun = this.#doubts.now;
    try {
      await this.#inner.clear();
      this.#doubts.settleAll(begun);
    } catch (error) {
      this.#doubts.addAll();
      this.#failed(error);
    }
  }

  stats(): CacheStats {
    const inner = this.#inner.stats();
    return { ...inner, errors: this.#errors + (inner.errors ?? 0) };
  }

  async #await(key: string, pending: Promise<CacheEntry | undefined>): Promise<CacheEntry | undefined> {
    try {
      const entry = await pending;
      // A drop may have failed while this was on its way.
      return this.#doubts.has(key) ? undefined : entry;
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): undefined {
    this.#errors++;
    this.#onError(error);
    return undefined;
  }
}
