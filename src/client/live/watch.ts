import { isWarpError, WarpError } from "../../errors.ts";
import { shardOf } from "../../protocol/key.ts";
import type { WatchFilter, WatchTarget } from "../../protocol/watch.ts";
import type { WireBytes } from "../../protocol/wire/watch-frames.ts";
import type { Codec } from "../../runtime/codec.ts";
import { maxWatchQueueBytes, watchResumeBytes } from "../../runtime/limits.ts";
import type { PresenceSeat } from "../../watchbus/watchbus.ts";
import type { LiveCalls } from "./calls.ts";
import type { LiveLinks } from "./links.ts";
import { Listeners } from "./listeners.ts";
import type { ClientWatch, ClientWatchOptions, WatchedItem, WatchStatus } from "./types.ts";
import { requireFilter, startsOf } from "./watch-asked.ts";
import { cursorOf, itemsOf, newest } from "./watch-items.ts";
import { type Told, WatchPart } from "./watch-part.ts";

/** What a {@link LiveWatch} is made of. */
export interface LiveWatchParts {
  readonly calls: LiveCalls;
  readonly links: LiveLinks;
  readonly codec: Codec<unknown>;
}

/** Begins a watch; with `onEvent` it is read by that. */
export function openWatch<T>(
  parts: LiveWatchParts,
  target: WatchTarget,
  options: ClientWatchOptions<T>,
): ClientWatch<T> {
  const { onEvent, onError = report } = options;
  const watch = new LiveWatch<T>(parts, target, options);
  if (onEvent !== undefined) void watch.tell(onEvent, onError);
  return watch;
}

/** Nobody takes it: it is told as an uncaught error is. */
function report(error: unknown): void {
  void Promise.reject(error);
}

/** About what an entry takes beside its value. */
const entryBytes = 100;

/** One watch, over however many shards and connections. */
class LiveWatch<T> implements ClientWatch<T> {
  readonly ready: Promise<void>;
  readonly #with: LiveWatchParts;
  readonly #filter: WatchFilter;
  readonly #signal: AbortSignal | undefined;
  readonly #changes = new Listeners<WatchStatus>();
  readonly #close = (): void => this.close();
  readonly #paused = new Set<WatchPart>();
  readonly #presence: PresenceSeat | undefined;
  /** What it shows of itself; null: nothing. */
  #shown: unknown = null;
  #parts: readonly WatchPart[] = [];
  #queue: Told[] = [];
  #bytes = 0;
  /** The cursor of the item that the loop was given last; undefined: it has taken all that there was. */
  #given: { readonly cursor: string | undefined } | undefined;
  #status: WatchStatus = "connecting";
  #failure: WarpError | undefined;
  #isRead = false;
  #wake: () => void = () => {};
  #refuse: (error: WarpError) => void = () => {};

  constructor(
    parts: LiveWatchParts,
    target: WatchTarget,
    { from = "now", mode = "all", ops, signal, presence }: ClientWatchOptions<T>,
  ) {
    presence?.take((data) => {
      this.#shown = data;
      this.#show();
    });
    this.#presence = presence;
    this.#with = parts;
    this.#filter = { target, mode, ...(ops ? { ops } : {}) };
    this.#signal = signal;
    signal?.addEventListener("abort", this.#close, { once: true });
    this.ready = this.#open(from);
    // Whoever only loops learns of it there.
    this.ready.catch((error: WarpError) => this.#fail(error));
  }

  get cursor(): string | undefined {
    return this.#given ? this.#given.cursor : this.#parts.length > 0 ? cursorOf(this.#parts) : undefined;
  }

  get status(): WatchStatus {
    return this.#status;
  }

  onStatus(listener: (status: WatchStatus) => void): () => void {
    return this.#changes.listen(listener);
  }

  close(): void {
    if (this.#isOver) return;
    this.#signal?.removeEventListener("abort", this.#close);
    this.#presence?.leave();
    for (const part of this.#parts) this.#with.links.at(part.shard).unsubscribe(part);
    this.#stand("ended");
    this.#wake();
    this.#refuse(new WarpError("aborted", "the watch was closed before it had begun"));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchedItem<T>, void, void> {
    if (this.#isRead) throw new WarpError("invalid_argument", "a watch is read by one loop");
    this.#isRead = true;
    try {
      while (!this.#isOver) {
        this.#given = undefined;
        const told = this.#take();
        if (told) {
          for (const item of itemsOf<T>(told, this.#parts, this.#filter.mode, this.#with.codec)) {
            this.#given = item;
            yield item;
            if (this.#isOver) return;
          }
        } else if (this.#failure) break;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
      // Whoever closes the client ends its watches, quietly.
      if (this.#failure && this.#failure.code !== "warp_closed") throw this.#failure;
    } finally {
      this.close();
    }
  }

  /** The callback form. */
  async tell(
    onEvent: (item: WatchedItem<T>) => void | Promise<void>,
    failed: (error: unknown) => void,
  ): Promise<void> {
    try {
      for await (const item of this) {
        try {
          await onEvent(item);
        } catch (error) {
          failed(error);
        }
      }
    } catch (error) {
      failed(error);
    }
  }

  get #isOver(): boolean {
    return this.#status === "ended";
  }

  async #open(from: NonNullable<ClientWatchOptions["from"]>): Promise<void> {
    const { target } = this.#filter;
    requireFilter(this.#filter);
    if (this.#signal?.aborted) this.close();
    let shards = 0;
    while (!shards && !this.#isOver) {
      try {
        shards = await this.#with.calls.shards();
      } catch (error) {
        // It begins when the deployment can be reached.
        if (!isWarpError(error) || !error.retryable) throw error;
        await this.#with.links.again();
      }
    }
    if (this.#isOver) throw new WarpError("aborted", "the watch was closed before it had begun");
    const followed =
      "key" in target ? [shardOf(target.key, shards)] : Array.from({ length: shards }, (_, at) => at);
    const starts = startsOf(from, followed.length);
    await new Promise<void>((resolve, reject) => {
      let left = followed.length;
      this.#refuse = reject;
      this.#parts = followed.map(
        (shard, at) =>
          new WatchPart(
            shard,
            this.#filter,
            starts[at] ?? "now",
            {
              told: (told) => this.#told(told),
              opened: () => {
                if (at === 0 && this.#shown !== null) this.#show();
              },
              begun: () => --left === 0 && resolve(),
              stood: () => this.#stood(),
              failed: (error) => {
                reject(error);
                this.#fail(error);
              },
            },
            // The first shard of those that it follows knows who is there.
            at === 0 ? this.#presence : undefined,
          ),
      );
      for (const part of this.#parts) this.#with.links.at(part.shard).subscribe(part);
    });
  }

  #show(): void {
    const [part] = this.#parts;
    if (part) this.#with.links.at(part.shard).say({ t: "here", id: part.id, data: this.#shown });
  }

  #told(told: Told): void {
    const { part } = told;
    const last = this.#queue.at(-1);
    if (told.kind === "events") {
      const events = newest(told.events, this.#filter.mode);
      // What only moves the place, and what newer changes make needless, does not wait on its own.
      const isMerged = this.#filter.mode !== "all" || events.length === 0;
      if (
        isMerged &&
        last?.kind === "events" &&
        last.part === part &&
        last.place?.epoch === told.place?.epoch
      ) {
        last.place = told.place;
        last.events = newest([...last.events, ...events], this.#filter.mode);
      } else this.#queue.push({ ...told, events });
    } else if (told.kind !== "missed" || last?.kind !== "missed") this.#queue.push(told);
    this.#bytes += bytesOf(told);
    if (this.#bytes > maxWatchQueueBytes && part.isResumable && !this.#paused.has(part)) {
      // The rest stays in its log: a slow reader must not stall the socket.
      this.#paused.add(part);
      this.#with.links.at(part.shard).unsubscribe(part);
      part.cut("behind");
    }
    this.#wake();
  }

  #take(): Told | undefined {
    const told = this.#queue.shift();
    this.#bytes = told && this.#queue.length > 0 ? this.#bytes - bytesOf(told) : 0;
    if (this.#bytes <= watchResumeBytes) {
      for (const part of this.#paused) this.#with.links.at(part.shard).subscribe(part);
      this.#paused.clear();
    }
    return told;
  }

  #fail(error: WarpError): void {
    if (this.#isOver) return;
    this.#failure ??= error;
    this.#wake();
    if (!this.#isRead) this.close();
  }

  #stood(): void {
    const standings = this.#parts.map(({ standing }) => standing);
    this.#stand(
      standings.includes("cut") ? "offline" : standings.includes("behind") ? "catching-up" : "live",
    );
  }

  #stand(status: WatchStatus): void {
    if (this.#status === status || this.#isOver) return;
    this.#status = status;
    this.#changes.tell(status);
  }
}

/** About how much memory it takes. */
function bytesOf(told: Told): number {
  const rows: readonly (readonly (WireBytes | number | null | undefined)[])[] =
    told.kind === "events" ? told.events : told.kind === "snapshot" ? told.keys : [];
  return rows.reduce((sum, row) => {
    const value = row.at(-1);
    return (
      sum + entryBytes + (typeof value === "object" || typeof value === "string" ? (value?.length ?? 0) : 0)
    );
  }, 0);
}
