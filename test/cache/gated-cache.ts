import type { Cache, CacheEntry, CacheStats, CacheSupports } from "../../src/cache/cache.ts";

type Method = "get" | "set" | "delete" | "deleteWhere" | "clear";

/** A call that waits for the test before its answer goes out; `get` has read by then, the others have not begun. */
export interface Held {
  readonly reached: Promise<void>;
  release(): void;
}

/** A cache that waits and fails as a test wants. */
export class GatedCache implements Cache {
  readonly inner: Cache;
  readonly supports: CacheSupports;
  /** The next call fails with what it gives. */
  failNext: (() => unknown) | undefined;
  /** Every call fails with what it gives. */
  failing: (() => unknown) | undefined;
  /** Turns of the microtask queue that each call takes. */
  delayTurns = 0;
  readonly #held = new Map<Method, () => Promise<void>>();

  constructor(inner: Cache) {
    this.inner = inner;
    this.supports = { ...inner.supports, peek: false, awaits: true };
  }

  /** Holds the next call of `method`. */
  hold(method: Method): Held {
    let reach = (): void => undefined;
    let release = (): void => undefined;
    const reached = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#held.set(method, () => {
      this.#held.delete(method);
      reach();
      return released;
    });
    return { reached, release: () => release() };
  }

  peek(): undefined {
    this.#maybeFail();
    return undefined;
  }

  inspect(): undefined {
    this.#maybeFail();
    return undefined;
  }

  async get(key: string, nowMs: number): Promise<CacheEntry | undefined> {
    this.#maybeFail();
    const entry = await this.inner.get(key, nowMs);
    await this.#gate("get");
    return entry;
  }

  async set(key: string, entry: CacheEntry): Promise<boolean> {
    return await this.#call("set", () => this.inner.set(key, entry));
  }

  async delete(key: string): Promise<boolean> {
    return await this.#call("delete", () => this.inner.delete(key));
  }

  async deleteWhere(test: (key: string) => boolean): Promise<number> {
    return await this.#call("deleteWhere", () => this.inner.deleteWhere(test));
  }

  async clear(): Promise<void> {
    return await this.#call("clear", () => this.inner.clear());
  }

  stats(): CacheStats {
    return this.inner.stats();
  }

  async #call<T>(method: Method, work: () => T): Promise<Awaited<T>> {
    this.#maybeFail();
    await this.#gate(method);
    return await work();
  }

  async #gate(method: Method): Promise<void> {
    await this.#held.get(method)?.();
    for (let turn = this.delayTurns; turn > 0; turn--) await Promise.resolve();
  }

  #maybeFail(): void {
    const fail = this.failNext ?? this.failing;
    this.failNext = undefined;
    if (fail !== undefined) throw fail();
  }
}
