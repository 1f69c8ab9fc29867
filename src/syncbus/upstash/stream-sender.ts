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
  #isClosing = false;
  /** What is on its way, and since when. */
  #under: { readonly batch: readonly Waiting[]; readonly sinceMs: number } | undefined;

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
    this.#forgetLost();
    this.#running ??= this.#run();
    await sent;
  }

  /** Settles when nothing waits any more: the first request that fails now is the last. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#forgetLost();
    await this.#running;
    this.#giveUp();
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      const { node, stream, clock, random } = this.#parts;
      const under = { batch, sinceMs: clock.now() };
      this.#under = under;
      const texts = writeEntries(
        node,
        batch.flatMap(({ told }) => told),
        () => uuidv7(clock, random),
      );
      let hasFailed = false;
      let end = (one: Waiting): void => one.resolve();
      try {
        await this.#append(stream, texts);
      } catch (error) {
        hasFailed = true;
        end = (one) => one.reject(error);
      }
      // Else it was given up, and others go on.
      if (this.#under !== under) return;
      this.#ended(batch, end);
      if (this.#isClosing && hasFailed) this.#giveUp();
    }
    this.#running = undefined;
  }

  #ended(batch: readonly Waiting[], end: (one: Waiting) => void): void {
    this.#under = undefined;
    for (const one of batch) {
      this.#unsent -= one.told.length;
      end(one);
    }
  }

  /** Where requests to elsewhere end with the one that they belong to, a batch ends without a word with the request that sent it: what follows does not wait for it. */
  #forgetLost(): void {
    const { clock, stream } = this.#parts;
    const mostMs = attempts * (stream.timeoutMs + backoffMs);
    if (this.#under === undefined || clock.now() - this.#under.sinceMs <= mostMs) return;
    const lost = new WarpError("deadline_exceeded", "what became of the request is not known", {
      outcome: "unknown",
    });
    this.#ended(this.#under.batch, (one) => one.reject(lost));
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
        if (this.#isLast(tried, error)) throw mayStand ? unknown(error) : error;
        // The first at once: most often it was the connection alone.
        if (tried > 1) await this.#pause();
      }
    }
  }

  /** Whether an attempt was the last. Whoever closes does not wait for the time of several. */
  #isLast(tried: number, error: WarpError): boolean {
    return tried >= attempts || !error.retryable || (this.#isClosing && error.code === "deadline_exceeded");
  }

  /** Nothing of it has been sent. */
  #giveUp(): void {
    const closed = new WarpError("warp_closed", "this bus was closed before the stream took it");
    this.#ended(this.#waiting.splice(0), (one) => one.reject(closed));
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
