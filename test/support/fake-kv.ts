import type { KvNamespace, KvPage } from "../../src/cache/kv/namespace.ts";
import type { Clock } from "../../src/runtime/clock.ts";

interface Write {
  readonly atMs: number;
  /** Null: a delete. */
  readonly value: ArrayBuffer | null;
  readonly expiresAtMs: number;
}

/**
 * Workers KV on a test's clock: names of at most 512 bytes, no TTL under 60 s, and places that see each write only `lagMs` after it was
 * made. A test may let calls fail or spoil what is stored.
 */
export class FakeKv {
  readonly #clock: Clock;
  readonly #writes = new Map<string, Write[]>();
  readonly #pageSize: number;
  readonly #failing = new Map<keyof KvNamespace, () => unknown>();
  /** How often each call was made. */
  readonly counts = { get: 0, put: 0, delete: 0, list: 0 };

  constructor(clock: Clock, pageSize = 1_000) {
    this.#clock = clock;
    this.#pageSize = pageSize;
  }

  /** The namespace as a place sees it that lags behind all writes, its own included. */
  place(lagMs = 0): KvNamespace {
    return {
      get: async (name) => {
        this.#call("get");
        checkName(name);
        return this.#seen(name, lagMs)?.slice(0) ?? null;
      },
      put: async (name, value, { expirationTtl }) => {
        this.#call("put");
        checkName(name);
        if (!Number.isInteger(expirationTtl) || expirationTtl < 60) {
          throw new Error(`KV PUT failed: 400 Invalid expiration_ttl of ${expirationTtl}`);
        }
        const atMs = this.#clock.now();
        this.#write(name, { atMs, value: value.slice(0), expiresAtMs: atMs + expirationTtl * 1_000 });
      },
      delete: async (name) => {
        this.#call("delete");
        checkName(name);
        this.#write(name, { atMs: this.#clock.now(), value: null, expiresAtMs: Number.POSITIVE_INFINITY });
      },
      list: async ({ prefix, cursor }) => {
        this.#call("list");
        return this.#page(prefix, cursor, lagMs);
      },
    };
  }

  /** From now on this call fails with what `error` gives; without it, no longer. */
  fail(method: keyof KvNamespace, error?: () => unknown): void {
    if (error === undefined) this.#failing.delete(method);
    else this.#failing.set(method, error);
  }

  /** What is stored under `name` now, as all places will see it. */
  raw(name: string): ArrayBuffer | undefined {
    return this.#seen(name, 0);
  }

  /** Puts bytes of a stranger under `name`. */
  spoil(name: string, value: ArrayBuffer): void {
    this.#write(name, { atMs: this.#clock.now(), value, expiresAtMs: Number.POSITIVE_INFINITY });
  }

  /** Names that are stored. */
  names(): string[] {
    return [...this.#writes.keys()].filter((name) => this.#seen(name, 0) !== undefined).sort();
  }

  #call(method: keyof KvNamespace): void {
    this.counts[method]++;
    const error = this.#failing.get(method);
    if (error !== undefined) throw error();
  }

  #write(name: string, write: Write): void {
    const writes = this.#writes.get(name) ?? [];
    writes.push(write);
    this.#writes.set(name, writes);
  }

  #seen(name: string, lagMs: number): ArrayBuffer | undefined {
    const now = this.#clock.now();
    const write = this.#writes.get(name)?.findLast(({ atMs }) => atMs <= now - lagMs);
    return write === undefined || write.value === null || write.expiresAtMs <= now ? undefined : write.value;
  }

  #page(prefix: string, cursor: string | undefined, lagMs: number): KvPage {
    const names = [...this.#writes.keys()]
      .filter((name) => name.startsWith(prefix) && this.#seen(name, lagMs) !== undefined)
      .filter((name) => cursor === undefined || name > cursor)
      .sort();
    const keys = names.slice(0, this.#pageSize).map((name) => ({ name }));
    const last = keys.at(-1)?.name;
    return names.length <= this.#pageSize || last === undefined
      ? { keys, list_complete: true }
      : { keys, list_complete: false, cursor: last };
  }
}

function checkName(name: string): void {
  const bytes = new TextEncoder().encode(name).byteLength;
  if (bytes === 0 || bytes > 512) throw new Error(`KV failed: 414 a key of ${bytes} bytes`);
}
