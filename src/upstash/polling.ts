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

/** How long a look that another call began is waited for, in ms: longer than one takes whose requests all end. */
const patienceMs = 30_000;

/**
 * Looking again and again at what tells nobody of changes. One look at a time; the pause between two is short while something comes, and grows while nothing does. The timer is there
 * between {@link start} and {@link stop} only.
 */
export class Polling {
  readonly #parts: PollingParts;
  #pauseMs: number;
  #isRunning = false;
  #current: Promise<boolean> | undefined;
  #looks = 0;
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
  async poll(): Promise<boolean> {
    const before = this.#current;
    if (before === undefined) return await this.#look();
    await this.#join(before).catch(() => undefined);
    const shared = this.#current;
    if (shared === undefined || shared === before) return await this.#look();
    return (await this.#join(shared)) ?? (await this.#look());
  }

  /**
   * The end of a look that another call began; undefined: it has none. Where timers and requests to elsewhere end with the request that they belong to, a look ends without a word with the
   * one that began it, and whoever waits for it has only its own timer.
   */
  async #join(look: Promise<boolean>): Promise<boolean | undefined> {
    let cancel = (): void => {};
    const late = new Promise<undefined>((resolve) => {
      cancel = this.#parts.timers.after(patienceMs, () => resolve(undefined), { awaited: true });
    });
    try {
      return await Promise.race([look, late]);
    } finally {
      cancel();
    }
  }

  #look(): Promise<boolean> {
    this.#cancel?.();
    this.#cancel = undefined;
    const { minMs, maxMs, look } = this.#parts;
    const turn = ++this.#looks;
    const current = (async () => {
      let found = false;
      try {
        found = await look();
        return found;
      } finally {
        // Else it was given up, and another one looks.
        if (turn === this.#looks) {
          this.#pauseMs = found ? minMs : Math.min(maxMs, this.#pauseMs * 2);
          this.#current = undefined;
          this.#plan();
        }
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
