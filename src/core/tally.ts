import type { Need } from "./loaded.ts";
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
