import type { Timers } from "../runtime/clock.ts";

/** Ends a call that takes too long: its signal aborts `timeoutMs` after the last {@link Deadline.touch}. */
export class Deadline {
  readonly #timers: Timers;
  readonly #timeoutMs: number;
  readonly #controller = new AbortController();
  #cancel: (() => void) | undefined;
  #passed = false;

  /** It runs only from the first touch on. */
  constructor(timers: Timers, timeoutMs: number) {
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it has ended the call. */
  get passed(): boolean {
    return this.#passed;
  }

  /** Starts it, or starts it again. */
  touch(): void {
    this.#cancel?.();
    this.#cancel = this.#timers.after(this.#timeoutMs, () => {
      this.#passed = true;
      this.#controller.abort();
    });
  }

  /** The call is over, or nobody waits for the server for now. */
  rest(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Gives the connection up at once. */
  abandon(): void {
    this.rest();
    this.#controller.abort();
  }
}
