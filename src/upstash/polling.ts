import type { Background } from "../runtime/background.ts";
import type { Timers } from "../runtime/clock.ts";
import { fraction, type Random } from "../runtime/random.ts";

/** What {@link Polling} works with. */
export interface PollingParts {
  readonly timers: Timers;
  readonly random: Random;
  readonly background: Background;
  /** The shortest pause, after a look that found something, in ms. */
  readonly minMs: number;
  /** The longest, which looks that find nothing come to by doubling, in ms. */
  readonly maxMs: number;
  /** False: nothing looks by itself. */
  readonly isTimed: boolean;
  /** Looks; gives whether it found something. */
  readonly look: () => Promise<boolean>;
  /** A look that a timer began has failed. */
  readonly failed: (error: unknown) => void;
}

/**
 * Looking again and again at what tells nobody of changes. One look at a time; the pause between two is short while something comes, and grows while nothing does. The timer is there
 * between {@link start} and {@link stop} only.
 */
export class Polling {
  readonly #parts: PollingParts;
  #pauseMs: number;
  #isRunning = false;
  #current: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;
  #cancel: (() => void) | undefined;

  constructor(parts: PollingParts) {
    this.#parts = parts;
    this.#pauseMs = parts.minMs;
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#pauseMs = this.#parts.minMs;
    this.#plan();
  }

  stop(): void {
    this.#isRunning = false;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** A look that begins after this call, shared with whoever asks meanwhile; gives whether it found something. Throws what it throws. */
  poll(): Promise<boolean> {
    if (this.#current === undefined) return this.#look();
    const then = (): Promise<boolean> => {
      this.#next = undefined;
      return this.#look();
    };
    this.#next ??= this.#current.then(then, then);
    return this.#next;
  }

  #look(): Promise<boolean> {
    this.#cancel?.();
    this.#cancel = undefined;
    const { minMs, maxMs, look } = this.#parts;
    const current = (async () => {
      let found = false;
      try {
        found = await look();
        return found;
      } finally {
        this.#pauseMs = found ? minMs : Math.min(maxMs, this.#pauseMs * 2);
        this.#current = undefined;
        this.#plan();
      }
    })();
    this.#current = current;
    return current;
  }

  #plan(): void {
    const { timers, background, random, failed, isTimed } = this.#parts;
    if (!this.#isRunning || !isTimed || this.#cancel !== undefined) return;
    // Not all nodes at the same moment.
    const pauseMs = this.#pauseMs * (0.75 + 0.25 * fraction(random));
    this.#cancel = timers.after(pauseMs, () => {
      this.#cancel = undefined;
      if (this.#current === undefined) background.run(this.#look().catch(failed));
    });
  }
}
