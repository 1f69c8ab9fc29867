import type { Background } from "../../runtime/background.ts";
import type { Clock } from "../../runtime/clock.ts";

/** How a {@link Lane} sends, and its bounds. */
export interface LaneOptions<Request, Reply> {
  send(request: Request): Promise<Reply>;
  /** Sends several in one message. Each has its own end, in order; it rejects where the message as a whole failed. */
  sendMany(requests: readonly Request[]): Promise<readonly PromiseSettledResult<Reply>[]>;
  /** Holds a message, should the call that sends it end: others wait for its answer, or for its place. */
  readonly background: Background;
  readonly clock: Clock;
  /** Bytes that a request takes in a message. */
  sizeOf(request: Request): number;
  /** Messages under way at once. Default 4. */
  readonly maxInFlight?: number;
  /** Most requests, and most bytes, of one message. Default 256, and 4 MiB. */
  readonly maxRequests?: number;
  readonly maxBytes?: number;
  /** A message that takes longer no longer holds up others: the call that sent it may have been cut off. In ms, default 2,000. */
  readonly lostAfterMs?: number;
}

interface Waiter<Request, Reply> {
  readonly request: Request;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The calls of one isolate to one shard. A few go out alone, as they come; what comes while those are under way goes out together when
 * one of them is back. Each message to an object costs the same, whatever is in it, on both sides: under load this shares the cost.
 *
 * Every request keeps an end of its own: in one message they are what they would have been in several.
 */
export class Lane<Request, Reply> {
  readonly #options: LaneOptions<Request, Reply>;
  readonly #maxInFlight: number;
  readonly #maxRequests: number;
  readonly #maxBytes: number;
  readonly #lostAfterMs: number;
  /** When each message under way was sent. */
  readonly #inFlight = new Map<number, number>();
  #waiting: Waiter<Request, Reply>[] = [];
  #sent = 0;

  constructor(options: LaneOptions<Request, Reply>) {
    this.#options = options;
    this.#maxInFlight = options.maxInFlight ?? 4;
    this.#maxRequests = options.maxRequests ?? 256;
    this.#maxBytes = options.maxBytes ?? 4_194_304;
    this.#lostAfterMs = options.lostAfterMs ?? 2_000;
  }

  call(request: Request): Promise<Reply> {
    if (this.#waiting.length === 0 && this.#isFree()) {
      const end = this.#alone(request);
      // Held, too: others may come to wait for its place.
      this.#options.background.run(end.then(ignore, ignore));
      return end;
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, resolve, reject });
      // Nothing is under way that would take it along: what was has been lost.
      if (this.#isFree()) this.#next();
    });
  }

  async #alone(request: Request): Promise<Reply> {
    const number = this.#depart();
    try {
      return await this.#options.send(request);
    } finally {
      this.#inFlight.delete(number);
      this.#next();
    }
  }

  /** Sends what waits, as far as there is room. */
  #next(): void {
    while (this.#waiting.length > 0 && this.#isFree()) {
      this.#options.background.run(this.#together(this.#take()));
    }
  }

  async #together(waiters: readonly Waiter<Request, Reply>[]): Promise<void> {
    const number = this.#depart();
    try {
      const ends = await this.#options.sendMany(waiters.map(({ request }) => request));
      for (const [at, waiter] of waiters.entries()) {
        const end = ends[at];
        if (end?.status === "fulfilled") waiter.resolve(end.value);
        else waiter.reject(end?.reason ?? new Error("a call was left unanswered"));
      }
    } catch (error) {
      for (const waiter of waiters) waiter.reject(error);
    } finally {
      this.#inFlight.delete(number);
      this.#next();
    }
  }

  #take(): readonly Waiter<Request, Reply>[] {
    let bytes = 0;
    let count = 0;
    for (const { request } of this.#waiting) {
      bytes += this.#options.sizeOf(request);
      if (count > 0 && (bytes > this.#maxBytes || count === this.#maxRequests)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  #depart(): number {
    const number = this.#sent++;
    this.#inFlight.set(number, this.#options.clock.now());
    return number;
  }

  #isFree(): boolean {
    if (this.#inFlight.size < this.#maxInFlight) return true;
    const lostMs = this.#options.clock.now() - this.#lostAfterMs;
    for (const [number, sentAtMs] of this.#inFlight) {
      if (sentAtMs > lostMs) break;
      this.#inFlight.delete(number);
    }
    return this.#inFlight.size < this.#maxInFlight;
  }
}

function ignore(): void {}
