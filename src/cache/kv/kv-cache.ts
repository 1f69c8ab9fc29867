import { WarpError } from "../../errors.ts";
import { checkSpace } from "../../protocol/key.ts";
import { utf8Length } from "../../runtime/bytes.ts";
import { maxKvTtlMs, minKvTtlMs } from "../../runtime/limits.ts";
import { bound } from "../bound.ts";
import type { Cache, CacheEntry, CacheStats, CacheSupports } from "../cache.ts";
import { seal, unseal } from "./envelope.ts";
import type { KvNamespace } from "./namespace.ts";

/** Options of {@link kvCache}. */
export interface KvCacheOptions {
  /** The space that the copies are of; names in KV begin with `warp:{space}:copy:`. */
  readonly space: string;
  /** Longest life of a copy in KV: 60,000 (KV's own minimum) to 2,592,000,000 ms (30 days). Default 3,600,000 (1 h). */
  readonly ttlMs?: number;
}

const defaultTtlMs = 3_600_000;
/** KV's own bound on names, in bytes. */
const maxNameBytes = 512;
/** Calls to KV under way at once while many names are deleted: a Worker has six connections. */
const width = 6;
const supports: CacheSupports = Object.freeze({
  peek: false,
  awaits: true,
  persistent: true,
  bounded: false,
});

/**
 * A cache in Workers KV, shared by all nodes: a second tier behind each node's memory. What it gives may be old: writes and deletes
 * reach other places after a minute or so. It says how old (`asOf`, `asOfMs`, the epoch in `etag`); whether it may be served is
 * for the reader to judge. Throws `invalid_argument` for a `ttlMs` out of range, `invalid_space`.
 */
export function kvCache(namespace: KvNamespace, options: KvCacheOptions): Cache {
  checkSpace(options.space);
  const ttlMs = bound("ttlMs", options.ttlMs ?? defaultTtlMs, minKvTtlMs, maxKvTtlMs);
  return new KvCache(namespace, `warp:${options.space}:copy:`, ttlMs);
}

class KvCache implements Cache {
  readonly supports = supports;
  readonly #namespace: KvNamespace;
  readonly #prefix: string;
  readonly #ttlMs: number;
  #hits = 0;
  #misses = 0;
  #rejections = 0;

  constructor(namespace: KvNamespace, prefix: string, ttlMs: number) {
    this.#namespace = namespace;
    this.#prefix = prefix;
    this.#ttlMs = ttlMs;
  }

  peek(): undefined {
    return undefined;
  }

  inspect(): undefined {
    return undefined;
  }

  /** Throws `storage_unavailable` where KV fails, `decode_failed` for what is not a copy. */
  async get(key: string, nowMs: number): Promise<CacheEntry | undefined> {
    const name = this.#name(key);
    const sealed = name === undefined ? null : await asked(() => this.#namespace.get(name, "arrayBuffer"));
    const entry = sealed === null ? undefined : unseal(sealed);
    if (entry === undefined || entry.expiresAtMs <= nowMs) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    return entry;
  }

  /**
   * Keeps the copy up to its own end or `ttlMs`, whichever is first, counted from `storedAtMs`. KV removes it after 60 s at the earliest; it
   * is not served beyond its end all the same. A key too long for KV is not kept and counted as a rejection.
   */
  async set(key: string, entry: CacheEntry): Promise<boolean> {
    const name = this.#name(key);
    if (name === undefined) {
      this.#rejections++;
      return false;
    }
    const expiresAtMs = Math.min(entry.expiresAtMs, entry.storedAtMs + this.#ttlMs);
    if (expiresAtMs <= entry.storedAtMs) {
      await this.delete(key);
      return false;
    }
    const lifeMs = expiresAtMs - entry.storedAtMs;
    const expirationTtl = Math.ceil(Math.max(lifeMs, minKvTtlMs) / 1_000);
    await asked(() => this.#namespace.put(name, seal(entry, expiresAtMs), { expirationTtl }));
    return true;
  }

  async delete(key: string): Promise<boolean> {
    const name = this.#name(key);
    if (name === undefined) return false;
    await asked(() => this.#namespace.delete(name));
    return true;
  }

  /** Lists all names of the space, so it is dear; a copy stored shortly before may be missed, as KV's lists lag too. */
  async deleteWhere(test: (key: string) => boolean): Promise<number> {
    let deleted = 0;
    let cursor: string | undefined;
    do {
      const from = cursor;
      const page = await asked(() =>
        this.#namespace.list({ prefix: this.#prefix, ...(from === undefined ? {} : { cursor: from }) }),
      );
      const names = page.keys.map(({ name }) => name).filter((name) => test(name.slice(this.#prefix.length)));
      for (let i = 0; i < names.length; i += width) {
        const some = names.slice(i, i + width);
        await asked(() => Promise.all(some.map((name) => this.#namespace.delete(name))));
      }
      deleted += names.length;
      cursor = page.list_complete ? undefined : page.cursor;
    } while (cursor !== undefined);
    return deleted;
  }

  async clear(): Promise<void> {
    await this.deleteWhere(() => true);
  }

  stats(): CacheStats {
    return {
      entries: 0,
      bytes: 0,
      hits: this.#hits,
      misses: this.#misses,
      evictions: 0,
      rejections: this.#rejections,
    };
  }

  #name(key: string): string | undefined {
    const name = this.#prefix + key;
    return utf8Length(name) > maxNameBytes ? undefined : name;
  }
}

async function asked<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw WarpError.from(error, "storage_unavailable", "Workers KV failed");
  }
}
