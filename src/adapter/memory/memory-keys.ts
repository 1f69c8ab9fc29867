import { compareKeys } from "../../protocol/key.ts";
import { maxListBytes } from "../../runtime/limits.ts";
import type { ListedKey, Payload, StoredEntry } from "../adapter.ts";
import type { ResolvedList } from "../list-page.ts";
import type { Version } from "./memory-history.ts";

/** A present value. */
export interface Held {
  readonly version: number;
  readonly modifiedAtMs: number;
  readonly payload: Payload;
  readonly tags: readonly string[] | undefined;
  /** `Infinity`: never. */
  readonly endsAtMs: number;
}

/** The keys of an in-process storage with their present values, and their order. */
export class MemoryKeys {
  readonly #held = new Map<string, Held>();
  /** The keys in order of their bytes; undefined after a key has come or gone. */
  #sorted: readonly string[] | undefined;

  get(key: string): Held | undefined {
    return this.#held.get(key);
  }

  set(key: string, held: Held): void {
    if (!this.#held.has(key)) this.#sorted = undefined;
    this.#held.set(key, held);
  }

  delete(key: string): void {
    if (this.#held.delete(key)) this.#sorted = undefined;
  }

  /** A key's value as an answer tells it. */
  entry(key: string, nowMs: number): StoredEntry | undefined {
    const held = this.#held.get(key);
    if (held === undefined) return undefined;
    const { version, modifiedAtMs, payload } = held;
    return { key, version, modifiedAtMs, payload, ...lifeLeft(held, nowMs), ...tagged(held.tags) };
  }

  /** A key's value as a link of its history. */
  version(key: string): Version | undefined {
    const held = this.#held.get(key);
    return held === undefined ? undefined : asVersion(held);
  }

  /** A page; with values it ends at 4 MiB of them, but has at least one. */
  list({ prefix, limit, after, values }: ResolvedList, nowMs: number): { items: ListedKey[]; more: boolean } {
    this.#sorted ??= [...this.#held.keys()].sort(compareKeys);
    const items: ListedKey[] = [];
    let bytes = 0;
    for (let at = firstPlace(this.#sorted, prefix, after); at < this.#sorted.length; at++) {
      const key = this.#sorted[at] ?? "";
      const held = this.#held.get(key);
      if (held === undefined || !key.startsWith(prefix)) break;
      const sizeBytes = held.payload.bytes.length;
      bytes += values ? sizeBytes : 0;
      if (items.length === limit || (bytes > maxListBytes && items.length > 0)) return { items, more: true };
      items.push({
        key,
        version: held.version,
        modifiedAtMs: held.modifiedAtMs,
        sizeBytes,
        contentType: held.payload.contentType,
        ...lifeLeft(held, nowMs),
        ...tagged(held.tags),
        ...(values ? { payload: held.payload } : {}),
      });
    }
    return { items, more: false };
  }
}

/** A present value as a link of its key's history. */
export function asVersion({ version, modifiedAtMs, payload, tags }: Held): Version {
  const { bytes, contentType } = payload;
  return {
    version,
    kind: "set",
    atMs: modifiedAtMs,
    sizeBytes: bytes.length,
    contentType,
    ...tagged(tags),
    payload,
  };
}

function tagged(tags: readonly string[] | undefined): { readonly tags?: readonly string[] } {
  return tags === undefined ? {} : { tags };
}

function lifeLeft(held: Held, nowMs: number): { readonly expiresInMs?: number } {
  return held.endsAtMs === Number.POSITIVE_INFINITY ? {} : { expiresInMs: held.endsAtMs - nowMs };
}

/** Index of the first key that is not before `prefix` and comes after `after`. */
function firstPlace(sorted: readonly string[], prefix: string, after: string | undefined): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const key = sorted[middle] ?? "";
    const before = compareKeys(key, prefix) < 0 || (after !== undefined && compareKeys(key, after) <= 0);
    if (before) low = middle + 1;
    else high = middle;
  }
  return low;
}
