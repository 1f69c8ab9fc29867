import { isWarpError, WarpError } from "../../errors.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { maxQueuedBusEvents } from "../../runtime/limits.ts";
import { fraction, type Random } from "../../runtime/random.ts";
import { type Told, writeEntries } from "./bus-entry.ts";
import type { BusStream } from "./bus-stream.ts";

interface Waiting {
  readonly told: readonly Told[];
  resolve(): void;
  reject(error: unknown): void;
}

/** What {@link StreamSender} works with. */
export interface StreamSenderParts {
  readonly stream: BusStream;
  readonly node: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** How often an append is tried in all, and the longest pause before the third try, in ms. */
const attempts = 3;
const backoffMs = 100;
/** Messages that one request carries at most. */
const atOnce = 1_000;

/**
 * What one node tells on its way into the stream: one request at a time, so that it stands there in its order. A request of unknown fate is sent again, with the ids that it had: who reads
 * it twice knows it by them.
 */
export class StreamSender {
  readonly #parts: StreamSenderParts;
  #waiting: Waiting[] = [];
  /** Messages that wait or are on their way: whoever gives up waiting does not take them back. */
  #unsent = 0;
  #running: Promise<void> | undefined;

  constructor(parts: StreamSenderParts) {
    this.#parts = parts;
  }

  /** Settles when it stands in the stream. Throws `overloaded` where too much waits already, and as {@link BusStream.append}. */
  async send(told: readonly Told[]): Promise<void> {
    if (this.#unsent >= maxQueuedBusEvents) {
      throw new WarpError("overloaded", `${maxQueuedBusEvents} messages wait for the stream`);
    }
    this.#unsent += told.length;
    const sent = new Promise<void>((resolve, reject) => this.#waiting.push({ told, resolve, reject }));
    this.#running ??= this.#run();
    await sent;
  }

  /** Settles when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      const { node, stream, clock, random } = this.#parts;
      const texts = writeEntries(
        node,
        batch.flatMap(({ told }) => told),
        () => uuidv7(clock, random),
      );
      try {
        await this.#append(stream, texts);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      for (const { told } of batch) this.#unsent -= told.length;
    }
    this.#running = undefined;
  }

  /** As many as one request carries: at least one. */
  #next(): readonly Waiting[] {
    let messages = 0;
    const over = this.#waiting.findIndex(({ told }, at) => {
      messages += told.length;
      return at > 0 && messages > atOnce;
    });
    return this.#waiting.splice(0, over < 0 ? this.#waiting.length : over);
  }

  async #append(stream: BusStream, texts: readonly string[]): Promise<void> {
    let mayStand = false;
    for (let tried = 1; ; tried++) {
      try {
        return await stream.append(texts);
      } catch (error) {
        if (!isWarpError(error)) throw error;
        mayStand ||= error.outcome === "unknown";
        if (tried >= attempts || !error.retryable) throw mayStand ? unknown(error) : error;
        // The first at once: most often it was the connection alone.
        if (tried > 1) await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    const { timers, random } = this.#parts;
    return new Promise((resolve) => {
      timers.after(backoffMs * (0.5 + 0.5 * fraction(random)), resolve, { awaited: true });
    });
  }
}

/** What failed last was certain, what failed before was not. */
function unknown(error: WarpError): WarpError {
  return new WarpError(error.code, error.message, { ...error.toData(), outcome: "unknown", cause: error });
}
