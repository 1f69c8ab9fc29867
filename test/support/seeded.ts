import type { Random } from "../../src/runtime/random.ts";

/** Repeatable randomness for tests: print the seed where a test may fail. */
export interface Seeded extends Random {
  /** A whole number from 0 to `end - 1`. */
  below(end: number): number;
  /** One of `list`, which must not be empty. */
  pick<T>(list: readonly T[]): T;
}

/** Mulberry32 from a 32-bit seed. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (end: number): number => next() % end;
  return {
    below,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
  };
}
