import type { Clock } from "../../runtime/clock.ts";
import { barrierMs } from "../../runtime/limits.ts";

/**
 * Whether this instance may take itself for the authority (rule ST5). An instance that was superseded can't commit, so within {@link barrierMs} of the *start*
 * of its last confirmed commit it falls silent; its successor counts on that.
 */
export class Authority {
  readonly #elapsed: Clock;
  #confirmedMs = Number.NEGATIVE_INFINITY;
  /** When the commit under way began, and whether it wrote a row: one that wrote none proves nothing. */
  #beganMs: number | undefined;
  #wrote = false;

  constructor(elapsed: Clock) {
    this.#elapsed = elapsed;
  }

  get isCurrent(): boolean {
    return this.#elapsed.now() - this.#confirmedMs < barrierMs;
  }

  /** Runs the transaction of a commit; `position` moves when it writes. */
  during<T>(transaction: () => T, position: () => number | undefined): T {
    this.#beganMs ??= this.#elapsed.now();
    const before = position();
    const wrote = this.#wrote;
    try {
      const result = transaction();
      if (position() !== before) this.#wrote = true;
      return result;
    } catch (error) {
      this.#wrote = wrote;
      throw error;
    }
  }

  /** The commit under way has written a row that the position does not tell of. */
  mark(): void {
    this.#wrote = true;
  }

  /** Waits for the commit's durability; only then it counts. */
  async confirm(durable: () => Promise<void>): Promise<void> {
    const { began, wrote } = { began: this.#beganMs, wrote: this.#wrote };
    this.#beganMs = undefined;
    this.#wrote = false;
    await durable();
    if (wrote && began !== undefined) this.#confirmedMs = Math.max(this.#confirmedMs, began);
  }
}
