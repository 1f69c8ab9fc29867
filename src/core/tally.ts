import type { Loaded, Need, Settled } from "./loaded.ts";
import type { Parts } from "./parts.ts";

/** A read that a cache answered. */
export function countHit({ counters, emitter }: Parts, key: string): void {
  counters.hits++;
  if (emitter.has("hit")) emitter.emit("hit", { key });
}

/** A read that none did. */
export function countMiss({ counters, emitter }: Parts, { key, settings }: Need): void {
  if (settings.mode === "strong") counters.bypasses++;
  else counters.misses++;
  if (emitter.has("miss")) emitter.emit("miss", { key });
}

/** A read that L1 could not answer: by what its load came to. `counts`: whether misses are counted here. */
export function countLoad(
  parts: Parts,
  need: Need,
  load: Settled<Loaded> | undefined,
  counts: boolean,
): void {
  if (load !== undefined && "value" in load && load.value.cached === true) countHit(parts, need.key);
  else if (load !== undefined && "value" in load && load.value.provisional === true) parts.counters.stale++;
  else if (counts) countMiss(parts, need);
}
