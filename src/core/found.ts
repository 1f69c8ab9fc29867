import type { CacheEntry } from "../cache/cache.ts";
import { formatCursor } from "../protocol/position.ts";
import type { Clock } from "../runtime/clock.ts";
import { type Reading, readValue, toEntry } from "./entry.ts";
import type { Loaded } from "./loaded.ts";
import type { CacheOutcome, Lookup } from "./types.ts";

/** A key's copy, from L1 or from the storage. */
export interface Found {
  readonly key: string;
  readonly entry: CacheEntry | undefined;
  readonly cache: CacheOutcome;
  /** What the load gave; undefined for a hit. */
  readonly loaded: Loaded | undefined;
}

/** {@link Found} as a caller sees it. */
export async function toLookup<T>(
  { key, entry, cache, loaded }: Found,
  reading: Reading<T>,
  clock: Clock,
): Promise<Lookup<T>> {
  const mark = loaded?.provisional && { version: 0, etag: "", cursor: "", provisional: true as const };
  if (entry !== undefined)
    return { ...toEntry(key, entry, await readValue(entry, reading), cache, clock.now()), ...mark };
  const cursor = loaded === undefined ? "" : formatCursor(loaded.position);
  return { key, value: undefined, cursor, cache, ...mark, version: 0 };
}
