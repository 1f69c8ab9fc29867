import { WarpError } from "../errors.ts";
import type { Watch } from "../watchbus/watchbus.ts";
import type { Reading } from "./entry.ts";
import { decodeItem } from "./watch-decoding.ts";
import type { WatchedItem } from "./watch-types.ts";

/** What a {@link WatchHandle} is made of. */
export interface WatchHandleParts<T> {
  readonly reading: Reading<T>;
  /** Begins it at the driver; the signal fires when nobody wants it any more. */
  readonly open: (signal: AbortSignal) => Promise<Watch>;
  /** Ends it. */
  readonly signal: AbortSignal | undefined;
  /** It is over; called once. */
  readonly ended: () => void;
}

/**
 * A watch: `for await (const item of warp.watch({ prefix: "user:" }))`. It begins at once, resumes by itself where the way to the shards breaks, and ends with its signal, with
 * {@link close} and with its `Warp`, quietly; what else it ends with is thrown by the loop. One loop reads it, and whoever leaves the loop has ended it.
 */
export class WatchHandle<T = unknown> implements AsyncIterable<WatchedItem<T>> {
  /** Settles once everything that happens from then on will be told. Rejects with what keeps the watch from beginning. */
  readonly ready: Promise<void>;
  readonly #parts: WatchHandleParts<T>;
  readonly #opening: Promise<Watch>;
  readonly #unwanted = new AbortController();
  readonly #onAbort = (): void => this.close();
  #watch: Watch | undefined;
  /** Behind what the loop has taken; undefined: nothing yet. */
  #taken: { readonly cursor: string | undefined } | undefined;
  #isRead = false;
  #isOver = false;
  #isClosed = false;

  constructor(parts: WatchHandleParts<T>) {
    const { open, signal } = parts;
    this.#parts = parts;
    if (signal?.aborted === true) this.#unwanted.abort(signal.reason);
    this.#opening = open(this.#unwanted.signal).then((watch) => {
      this.#watch = watch;
      // It may have been closed meanwhile.
      if (this.#isOver) watch.end();
      return watch;
    });
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#opening.catch(() => this.#finish());
    this.ready = this.#opening.then(() => undefined);
    // Whoever only loops learns of it there.
    this.ready.catch(() => undefined);
  }

  /** To resume behind all that was taken by another watch of the same target (`from: { cursor }`). Undefined before it has begun, and while a snapshot is under way. */
  get cursor(): string | undefined {
    return this.#taken === undefined ? this.#watch?.cursor : this.#taken.cursor;
  }

  /** Ends it; idempotent. A loop that waits ends. */
  close(): void {
    this.#isClosed = true;
    this.#finish();
    this.#unwanted.abort();
    this.#watch?.end();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    this.#parts.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchedItem<T>, void, void> {
    if (this.#isRead) {
      throw new WarpError("invalid_argument", "a watch is read by one loop; open another watch", {
        details: { field: "watch" },
      });
    }
    this.#isRead = true;
    try {
      const watch = await this.#opened();
      if (watch === undefined) return;
      for await (const items of watch) {
        for (const item of items) {
          const decoded = await decodeItem(item, this.#parts.reading);
          if (this.#isClosed) return;
          this.#taken = { cursor: item.cursor };
          yield decoded;
        }
        // Once it is asked for more the driver knows that all of this was taken, and counts progress without events, too.
        this.#taken = undefined;
      }
    } finally {
      this.close();
    }
  }

  /** Undefined: it was closed before it had begun. */
  async #opened(): Promise<Watch | undefined> {
    try {
      return await this.#opening;
    } catch (error) {
      if (this.#isClosed) return undefined;
      throw error;
    }
  }
}
