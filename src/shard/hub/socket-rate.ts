import type { Clock } from "../../runtime/clock.ts";
import { socketBurstSeconds } from "../../runtime/relay-limits.ts";

/** How many sockets an object takes: so many a second, and two seconds' worth at once after a quiet time. */
export class SocketRate {
  readonly perSecond: number;
  readonly #elapsed: Clock;
  /** Those taken and not yet made up for, at a moment. */
  #taken = 0;
  #atMs = 0;

  constructor(perSecond: number, elapsed: Clock) {
    this.perSecond = perSecond;
    this.#elapsed = elapsed;
  }

  /** Takes one: 0, or after how many ms there will be room for it. */
  take(): number {
    const nowMs = this.#elapsed.now();
    this.#taken = Math.max(0, this.#taken - ((nowMs - this.#atMs) / 1_000) * this.perSecond);
    this.#atMs = nowMs;
    const over = this.#taken + 1 - this.perSecond * socketBurstSeconds;
    if (over > 0) return Math.ceil((over / this.perSecond) * 1_000);
    this.#taken++;
    return 0;
  }
}
