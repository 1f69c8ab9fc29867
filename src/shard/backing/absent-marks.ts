import { absentMarkMs, maxAbsentMarks } from "../../runtime/backing-limits.ts";
import type { Clock } from "../../runtime/clock.ts";

/** Keys that the storage said it does not have: not asked for again for a while. In memory only. */
export class AbsentMarks {
  readonly #clock: Clock;
  /** Until when, in order of age. */
  readonly #marks = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  has(key: string): boolean {
    const untilMs = this.#marks.get(key);
    if (untilMs === undefined) return false;
    if (untilMs > this.#clock.now()) return true;
    this.#marks.delete(key);
    return false;
  }

  /** `askedAtMs`: when the storage was asked. */
  add(key: string, askedAtMs: number): void {
    this.#marks.delete(key);
    const [oldest] = this.#marks.keys();
    if (this.#marks.size >= maxAbsentMarks && oldest !== undefined) this.#marks.delete(oldest);
    this.#marks.set(key, askedAtMs + absentMarkMs);
  }

  /** Forgets those that `isMeant`. */
  forget(isMeant: (key: string) => boolean): void {
    for (const key of this.#marks.keys()) if (isMeant(key)) this.#marks.delete(key);
  }
}
