import { isWarpError } from "../errors.ts";

const firstHoldMs = 50;
const longestHoldMs = 5_000;

/**
 * Errors that are given again for a short, doubling time (50 ms to 5 s) instead of asking a failing storage once for each
 * waiter (rule CO2). Bounded; the oldest go first.
 */
export class HeldErrors<K = string> {
  readonly #held = new Map<
    K,
    { readonly error: unknown; readonly holdMs: number; readonly untilMs: number }
  >();
  readonly #max: number;

  constructor(max = 1_000) {
    this.#max = max;
  }

  /** Holds `error` for `key`, for twice as long as the one before it. */
  hold(key: K, error: unknown, nowMs: number): void {
    const before = this.#held.get(key);
    // After a quiet stretch the trouble counts as new.
    const again = before !== undefined && nowMs < before.untilMs + longestHoldMs;
    const holdMs = again ? Math.min(before.holdMs * 2, longestHoldMs) : firstHoldMs;
    this.#held.delete(key);
    this.#held.set(key, { error, holdMs, untilMs: nowMs + holdMs });
    if (this.#held.size > this.#max) {
      for (const oldest of this.#held.keys()) {
        this.#held.delete(oldest);
        break;
      }
    }
  }

  /** Throws the error that is held for `key`, if any. */
  check(key: K, nowMs: number): void {
    const held = this.#held.size === 0 ? undefined : this.#held.get(key);
    if (held !== undefined && nowMs < held.untilMs) throw held.error;
  }

  isHeld(key: K, nowMs: number): boolean {
    const held = this.#held.size === 0 ? undefined : this.#held.get(key);
    return held !== undefined && nowMs < held.untilMs;
  }

  release(key: K): void {
    if (this.#held.size > 0) this.#held.delete(key);
  }

  clear(): void {
    this.#held.clear();
  }
}

/** Whether an error of the storage is worth holding: trouble that may pass, not a refusal of this one call. */
export function isStorageTrouble(error: unknown): boolean {
  return isWarpError(error) ? error.retryable : true;
}
