import type { Standing } from "../../connection/watching.ts";
import { isWarpError, WarpError } from "../../errors.ts";
import type { Payload } from "../../protocol/payload.ts";
import type { WatchTarget } from "../../protocol/watch.ts";
import type { Codec } from "../../runtime/codec.ts";
import { checkWatch } from "../../watchbus/options.ts";
import { ShardWatch } from "../../watchbus/shard/shard-watch.ts";
import { startsOf } from "../../watchbus/shard/starts.ts";
import type { WatchItem } from "../../watchbus/watchbus.ts";
import type { LiveCalls } from "./calls.ts";
import type { LiveLinks } from "./links.ts";
import { Listeners } from "./listeners.ts";
import type { ClientWatch, ClientWatchOptions, WatchedItem, WatchStatus } from "./types.ts";
import { decoded } from "./values.ts";

/** What a {@link LiveWatch} is made of. */
export interface LiveWatchParts {
  readonly calls: LiveCalls;
  readonly links: LiveLinks;
  readonly codec: Codec<unknown>;
  readonly ended: () => void;
}

/** One watch, over however many connections. */
export class LiveWatch<T> implements ClientWatch<T> {
  readonly ready: Promise<void>;
  readonly #parts: LiveWatchParts;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.close();
  readonly #opening: Promise<ShardWatch | undefined>;
  readonly #changes = new Listeners<WatchStatus>();
  readonly #standings: Standing[] = [];
  #watch: ShardWatch | undefined;
  /** Of the last item that the loop was given; undefined: it has taken all that there was. */
  #taken: { readonly cursor: string | undefined } | undefined;
  #status: WatchStatus = "connecting";
  #isOver = false;
  #isRead = false;

  constructor(parts: LiveWatchParts, target: WatchTarget, options: ClientWatchOptions<T>) {
    this.#parts = parts;
    this.#signal = options.signal;
    this.#opening = this.#open(target, options);
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.ready = this.#opening.then(() => undefined);
    // Whoever only loops learns of it there.
    this.ready.catch(() => this.close());
  }

  get cursor(): string | undefined {
    return this.#taken === undefined ? this.#watch?.cursor : this.#taken.cursor;
  }

  get status(): WatchStatus {
    return this.#status;
  }

  onStatus(listener: (status: WatchStatus) => void): () => void {
    return this.#changes.listen(listener);
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#watch?.end();
    this.#parts.ended();
    this.#stand("ended");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchedItem<T>, void, void> {
    if (this.#isRead) throw new WarpError("invalid_argument", "a watch is read by one loop");
    this.#isRead = true;
    try {
      const watch = await this.#opening;
      for await (const items of watch ?? []) {
        for (const item of items) {
          if (this.#isOver) return;
          this.#taken = { cursor: item.cursor };
          yield itemOf<T>(item, this.#parts.codec);
        }
        this.#taken = undefined;
      }
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

  /** Undefined: it was closed before it had begun. */
  async #open(target: WatchTarget, options: ClientWatchOptions<T>): Promise<ShardWatch | undefined> {
    const { calls, links } = this.#parts;
    const { from = "now" } = options;
    const filter = checkWatch(target, options);
    let shards: number | undefined;
    while (shards === undefined) {
      try {
        shards = await calls.shards({});
      } catch (error) {
        // It begins when the deployment can be reached.
        if (!isWarpError(error) || !error.retryable) throw error;
        await links.again();
      }
      if (this.#isOver) return undefined;
    }
    const watch = new ShardWatch({
      watching: links,
      filter,
      starts: startsOf(target, from, shards),
      ended: () => this.close(),
      stands: (at, standing) => {
        this.#standings[at] = standing;
        this.#stand(statusOf(this.#standings));
      },
    });
    this.#watch = watch;
    await watch.opened;
    return watch;
  }

  #stand(status: WatchStatus): void {
    if (this.#status === status || this.#status === "ended") return;
    this.#status = status;
    this.#changes.tell(status);
  }
}

function statusOf(standings: readonly Standing[]): WatchStatus {
  if (standings.includes("cut")) return "offline";
  return standings.includes("behind") ? "catching-up" : "live";
}

/** An item as the application sees it. A value that can't be decoded is told as such: one bad value must not end a watch. */
function itemOf<T>(item: WatchItem, codec: Codec<unknown>): WatchedItem<T> {
  switch (item.kind) {
    case "gap":
    case "missed":
    case "delete":
    case "expire":
      return item as WatchedItem<T>;
    case "snapshot":
      return {
        ...item,
        entries: item.entries.map(({ payload, ...entry }) => ({ ...entry, ...carried<T>(payload, codec) })),
      };
  }
  const { payload, ...event } = item;
  return { ...event, ...carried<T>(payload, codec) } as WatchedItem<T>;
}

function carried<T>(
  payload: Payload | undefined,
  codec: Codec<unknown>,
): { readonly value: T | undefined; readonly contentType?: string; readonly error?: WarpError } {
  if (payload === undefined) return { value: undefined };
  const { contentType } = payload;
  try {
    return { value: decoded<T>(codec, payload), contentType };
  } catch (error) {
    return { value: undefined, contentType, error: error as WarpError };
  }
}
