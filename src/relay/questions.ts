import type { Timers } from "../runtime/clock.ts";
import { relayRetryBaseMs, relayRetryCapMs } from "../runtime/relay-limits.ts";

/** What {@link Questions} are made of. */
export interface QuestionsOptions {
  /** Told when an answer is there, or it is time to ask again. */
  readonly answered: () => void;
  readonly timers: Timers;
  /** Takes what failed where nobody waits. */
  readonly report: (error: unknown) => void;
}

/** Asks a relay's shard: for each thing once at a time, for a few at a time, and again after a while where that fails. */
export class Questions {
  readonly #options: QuestionsOptions;
  readonly #open = new Set<string>();
  readonly #max: number;
  #failures = 0;
  #isPaused = false;

  /** `max`: so many are open at most. */
  constructor(options: QuestionsOptions, max: number) {
    this.#options = options;
    this.#max = max;
  }

  /** Asks unless that is under way, or there is no room: whoever wants it asks again when others are answered. */
  ask(name: string, question: () => Promise<void>): void {
    if (this.#isPaused || this.#open.size >= this.#max || this.#open.has(name)) return;
    this.#open.add(name);
    void this.#run(name, question);
  }

  async #run(name: string, question: () => Promise<void>): Promise<void> {
    try {
      await question();
      this.#failures = 0;
    } catch (error) {
      this.#options.report(error);
      this.#pause();
    }
    this.#open.delete(name);
    if (!this.#isPaused) this.#options.answered();
  }

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    const waitMs = Math.min(relayRetryCapMs, relayRetryBaseMs * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    this.#options.timers.after(waitMs, () => {
      this.#isPaused = false;
      this.#options.answered();
    });
  }
}
