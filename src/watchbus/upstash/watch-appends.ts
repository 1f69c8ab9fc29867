import { isWarpError, WarpError } from "../../errors.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { opIdWindowMs } from "../../runtime/limits.ts";
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

/** What {@link WatchAppends} works with. */
export interface WatchAppendsParts {
  readonly stream: WatchStream;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** The stream has grown. */
  readonly appended: () => void;
}

/** What a node appends to the stream: one request at a time, in the order of the calls. */
export class WatchAppends {
  readonly #parts: WatchAppendsParts;
  #waiting: Waiting[] = [];
  /** Characters that wait or are on their way: whoever gives up waiting does not take them back. */
  #unsent = 0;
  #running: Promise<void> | undefined;
  #isClosing = false;
  /** What is on its way, and since when. */
  #under: { readonly batch: readonly Waiting[]; readonly sinceMs: number } | undefined;

  constructor(parts: WatchAppendsParts) {
    this.#parts = parts;
  }

  /** Throws `overloaded` where too much waits already, and as {@link WatchStream.append}. */
  async add(append: Append): Promise<Appended> {
    if (this.#unsent >= charactersUnsent) {
      throw new WarpError("overloaded", "what waits for the stream is as much as there may be");
    }
    this.#unsent += sizeOf(append);
    const done = new Promise<Appended>((resolve, reject) => this.#waiting.push({ append, resolve, reject }));
    this.#forgetLost();
    this.#running ??= this.#run();
    return await done;
  }

  /** Settles when nothing waits any more: the first request that fails now is the last. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#forgetLost();
    await this.#running;
    this.#giveUp();
  }

  async #run(): Promise<void> {
    // Calls of one turn go together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#next();
      const under = { batch, sinceMs: this.#parts.clock.now() };
      this.#under = under;
      let hasFailed = false;
      let end: (one: Waiting, at: number) => void;
      try {
        const appended = await this.#send(batch.map(({ append }) => append));
        this.#parts.appended();
        end = ({ resolve, reject }, at) => {
          const one = appended[at];
          if (one !== undefined) resolve(one);
          else reject(new WarpError("unavailable", "the answer lacks a part", { outcome: "unknown" }));
        };
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

  #ended(batch: readonly Waiting[], end: (one: Waiting, at: number) => void): void {
    this.#under = undefined;
    for (const [at, one] of batch.entries()) {
      this.#unsent -= sizeOf(one.append);
      end(one, at);
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

  #next(): readonly Waiting[] {
    const isKept = this.#waiting[0]?.append.kept !== undefined;
    let characters = 0;
    const over = this.#waiting.findIndex(({ append }, at) => {
      characters += append.text.length;
      // What may be sent again does not go with what may not.
      const isOther = (append.kept !== undefined) !== isKept;
      return at > 0 && (isOther || at >= entriesAtOnce || characters > charactersAtOnce);
    });
    return this.#waiting.splice(0, over < 0 ? this.#waiting.length : over);
  }

  /** What is kept may be sent again, as it is known by its op id; of the rest only what has certainly not been carried out. */
  async #send(appends: readonly Append[]): Promise<readonly Appended[]> {
    const { clock, stream } = this.#parts;
    const isKept = appends.every(({ kept }) => kept !== undefined);
    const startMs = clock.now();
    let mayStand = false;
    for (let tried = 1; ; tried++) {
      try {
        return await stream.append(appends);
      } catch (error) {
        if (!isWarpError(error)) throw error;
        mayStand ||= error.outcome === "unknown";
        // A host that slept meanwhile can't know it by its op id any more.
        const isKnown = isKept && clock.now() - startMs < opIdWindowMs;
        if (this.#isLast(tried, error) || (mayStand && !isKnown)) {
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

function sizeOf({ text }: Append): number {
  return text.length + charactersOfEntry;
}
