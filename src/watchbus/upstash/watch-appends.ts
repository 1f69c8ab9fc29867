import { isWarpError, WarpError } from "../../errors.ts";
import type { Timers } from "../../runtime/clock.ts";
import { fraction, type Random } from "../../runtime/random.ts";
import type { Append, Appended, WatchStream } from "./watch-stream.ts";

interface Waiting {
  readonly append: Append;
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

/** How often a request is tried in all, and the longest pause before the third try, in ms. */
const attempts = 3;
const backoffMs = 100;
/** What one request carries at most: entries, and characters of their content (the first always goes). */
const entriesAtOnce = 200;
const charactersAtOnce = 4 * 1_048_576;
/** Characters that may wait or be on their way, and what an entry counts beside those of its content. */
const charactersUnsent = 64 * 1_048_576;
const charactersOfEntry = 256;

/** What a node appends to the stream: one request at a time, in the order of the calls. */
export class WatchAppends {
  readonly #stream: WatchStream;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #appended: () => void;
  #waiting: Waiting[] = [];
  /** Characters that wait or are on their way: whoever gives up waiting does not take them back. */
  #unsent = 0;
  #running: Promise<void> | undefined;

  /** `appended`: the stream has grown. */
  constructor(stream: WatchStream, timers: Timers, random: Random, appended: () => void) {
    this.#stream = stream;
    this.#timers = timers;
    this.#random = random;
    this.#appended = appended;
  }

  /** Throws `overloaded` where too much waits already, and as {@link WatchStream.append}. */
  async add(append: Append): Promise<Appended> {
    if (this.#unsent >= charactersUnsent) {
      throw new WarpError("overloaded", "what waits for the stream is as much as there may be");
    }
    this.#unsent += sizeOf(append);
    const done = new Promise<Appended>((resolve, reject) => this.#waiting.push({ append, resolve, reject }));
    this.#running ??= this.#run();
    return await done;
  }

  /** Settles when nothing waits any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // Calls of one turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      try {
        const appended = await this.#send(batch.map(({ append }) => append));
        this.#appended();
        for (const [at, { resolve, reject }] of batch.entries()) {
          const one = appended[at];
          if (one === undefined)
            reject(new WarpError("unavailable", "the answer lacks a part", { outcome: "unknown" }));
          else resolve(one);
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
      for (const { append } of batch) this.#unsent -= sizeOf(append);
    }
    this.#running = undefined;
  }

  #next(): readonly Waiting[] {
    let characters = 0;
    const over = this.#waiting.findIndex(({ append }, at) => {
      characters += append.text.length;
      return at > 0 && (at >= entriesAtOnce || characters > charactersAtOnce);
    });
    return this.#waiting.splice(0, over < 0 ? this.#waiting.length : over);
  }

  /** What is kept may be sent again, as it is known by its op id; of the rest only what has certainly not been carried out. */
  async #send(appends: readonly Append[]): Promise<readonly Appended[]> {
    const isKept = appends.every(({ kept }) => kept !== undefined);
    let mayStand = false;
    for (let tried = 1; ; tried++) {
      try {
        return await this.#stream.append(appends);
      } catch (error) {
        if (!isWarpError(error)) throw error;
        mayStand ||= error.outcome === "unknown";
        if (tried >= attempts || !error.retryable || (mayStand && !isKept)) {
          throw mayStand
            ? new WarpError(error.code, error.message, {
                ...error.toData(),
                outcome: "unknown",
                cause: error,
              })
            : error;
        }
        if (tried > 1) await this.#pause();
      }
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#timers.after(backoffMs * (0.5 + 0.5 * fraction(this.#random)), resolve, { awaited: true });
    });
  }
}

function sizeOf({ text }: Append): number {
  return text.length + charactersOfEntry;
}
