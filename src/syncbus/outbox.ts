import { WarpError } from "../errors.ts";
import type { Timers } from "../runtime/clock.ts";
import { coalesceMs, maxBatchOperations } from "../runtime/limits.ts";
import type { Outgoing } from "./syncbus.ts";

interface Waiting {
  readonly message: Outgoing;
  resolve(): void;
  reject(error: unknown): void;
}

/** Sends a burst; gives the error of each message that failed, by its place. What it throws is the error of them all. */
export type SendBurst = (
  messages: readonly Outgoing[],
) => Promise<ReadonlyMap<number, unknown> | undefined> | ReadonlyMap<number, unknown> | undefined;

/**
 * Messages on their way out: the first leaves at once, those that follow within 16 ms leave together (rule SB7). Each message is sent, also
 * where the same key stands in the burst already (rule SB4): what happens between two is known to nobody here.
 */
export class Outbox {
  readonly #timers: Timers;
  readonly #send: SendBurst;
  #waiting: Waiting[] = [];
  #cancel: (() => void) | undefined;

  constructor(timers: Timers, send: SendBurst) {
    this.#timers = timers;
    this.#send = send;
  }

  /** Settles with the sending of the message. */
  add(message: Outgoing): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      if (this.#cancel === undefined || this.#waiting.length >= maxBatchOperations) this.flush();
    });
  }

  /** Sends now what waits. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#waiting.length === 0) return;
    const burst = this.#waiting;
    this.#waiting = [];
    this.#cancel = this.#timers.after(coalesceMs, () => {
      this.#cancel = undefined;
      this.flush();
    });
    void this.#settle(burst);
  }

  /** Sends what waits, and waits for nothing more. */
  close(): void {
    this.flush();
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #settle(burst: readonly Waiting[]): Promise<void> {
    try {
      const failures = await this.#send(burst.map(({ message }) => message));
      for (const [at, { resolve, reject }] of burst.entries()) {
        if (failures?.has(at) === true) reject(failures.get(at));
        else resolve();
      }
    } catch (error) {
      const failure = WarpError.from(error, "unavailable", "the bus could not send", { outcome: "unknown" });
      for (const { reject } of burst) reject(failure);
    }
  }
}
