import { WarpError } from "../../errors.ts";
import { checkKey } from "../../protocol/key.ts";
import { checkOpId, opIdTime } from "../../protocol/mutation.ts";
import type { Payload } from "../../protocol/payload.ts";
import type { Position } from "../../protocol/position.ts";
import { scopeOpId } from "../../protocol/shard-api.ts";
import { checkPublication, publicationPrint } from "../../protocol/watch-rules.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import { maxBatchOperations } from "../../runtime/limits.ts";
import { within } from "../../runtime/patience.ts";
import { Polling } from "../../upstash/polling.ts";
import { cursorAhead, parseWatchCursor } from "../cursor.ts";
import { checkWatch } from "../options.ts";
import type {
  PublicationOptions,
  Watch,
  WatchBus,
  WatchBusSupports,
  WatchOptions,
  WatchTarget,
} from "../watchbus.ts";
import { Watched } from "../watched.ts";
import {
  type ResolvedUpstashWatchBus,
  resolveUpstashWatchBus,
  type UpstashWatchBusOptions,
} from "./options.ts";
import { UpstashWatch, type UpstashWatchParts } from "./upstash-watch.ts";
import { WatchAppends } from "./watch-appends.ts";
import { changesText, publicationText, type WatchChange } from "./watch-entry.ts";
import { type Append, type WatchPlace, WatchStream } from "./watch-stream.ts";

/** A watch bus over a stream in Redis. */
export interface UpstashWatchBus extends WatchBus {
  /**
   * Tells of 1 to 1,000 changes of a storage that tells nobody, made together: they share a revision. Gives where they stand. Throws `invalid_key`, `batch_too_large`,
   * `overloaded`, `unavailable` and `deadline_exceeded`, with outcome `unknown` where they may stand there.
   */
  tell(changes: readonly WatchChange[], options?: CallLimits): Promise<Position>;
  /** Looks at the stream now; watches are told when they are read. Without watches it does nothing. Throws `unavailable`, `deadline_exceeded`, `warp_closed`. */
  poll(): Promise<void>;
}

/** One node's end of watching over a stream in Upstash Redis. Throws `invalid_argument`, `invalid_space`. */
export function upstashWatchBus(options: UpstashWatchBusOptions): UpstashWatchBus {
  return new StreamWatchBus(resolveUpstashWatchBus(options));
}

class StreamWatchBus implements UpstashWatchBus {
  readonly supports: WatchBusSupports;
  readonly #options: ResolvedUpstashWatchBus;
  readonly #stream: WatchStream;
  readonly #appends: WatchAppends;
  readonly #polling: Polling;
  readonly #watches = new Set<UpstashWatch>();
  readonly #watched = new Watched();
  #seen = "";
  /** A watch could not read: the next look that works wakes it. */
  #isBroken = false;
  #closed = false;

  constructor(options: ResolvedUpstashWatchBus) {
    this.#options = options;
    const { redis, clock, random, space, maxEntries, timers, background, state, onError } = options;
    const snapshot = state !== undefined;
    this.supports = Object.freeze({ resume: true, snapshot, publish: true, remote: true, presence: false });
    this.#stream = new WatchStream(redis, random, space, maxEntries);
    this.#appends = new WatchAppends({
      ...{ stream: this.#stream, clock, timers, random },
      appended: () => this.#wake(),
    });
    this.#polling = new Polling({
      ...options.polling,
      timers,
      random,
      background,
      look: () => this.#look(),
      failed: (error) => {
        if (!this.#closed) onError(error);
      },
    });
  }

  get watched(): ReadonlyMap<string, number> {
    return this.#watched.names;
  }

  async watch(target: WatchTarget, options: WatchOptions = {}): Promise<Watch> {
    this.#checkOpen();
    const filter = checkWatch(target, options);
    const { from = "now", signal, presence } = options;
    if (presence !== undefined) throw new WarpError("unsupported", "a stream does not tell who is there");
    const { state, onError } = this.#options;
    if (from === "snapshot" && state === undefined) {
      throw new WarpError("unsupported", "this watch bus can't read the state: it was given no way to");
    }
    const asked = typeof from === "string" ? undefined : parseWatchCursor(from.cursor, 1)[0];
    const head = await this.#stream.head(signal === undefined ? {} : { signal });
    this.#checkOpen();
    const begins = from === "snapshot" ? "snapshot" : "there";
    const start = asked === undefined ? ({ place: head, begins } as const) : startAt(asked, head);
    const onAbort = (): void => watch.end();
    const unwatched = this.#watched.add(target);
    const watch: UpstashWatch = new UpstashWatch({
      ...start,
      stream: this.#stream,
      filter,
      head,
      state,
      failed: (error) => {
        this.#isBroken = true;
        onError(error);
      },
      ended: () => {
        signal?.removeEventListener("abort", onAbort);
        unwatched();
        this.#watches.delete(watch);
        if (this.#watches.size === 0) this.#polling.stop();
      },
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#watches.add(watch);
    this.#polling.start();
    return watch;
  }

  async publish(
    target: WatchTarget,
    payload: Payload,
    options: PublicationOptions,
  ): Promise<readonly Position[]> {
    this.#checkOpen();
    checkCallLimits(options);
    const publication = { target, payload };
    checkPublication(publication);
    const { opId, retained = false } = options;
    const wrong = checkOpId(opId, this.#options.clock.now());
    if (wrong !== undefined) throw wrong;
    const text = publicationText(publication);
    const kept = retained ? keptBy(opId, publicationPrint(publication)) : undefined;
    const position = await this.#append({ kept, text }, options);
    return retained ? [position] : [];
  }

  async tell(changes: readonly WatchChange[], options: CallLimits = {}): Promise<Position> {
    this.#checkOpen();
    checkCallLimits(options);
    for (const { key } of changes) checkKey(key);
    if (changes.length < 1 || changes.length > maxBatchOperations) {
      throw new WarpError("batch_too_large", `1 to ${maxBatchOperations} changes are told at once`, {
        details: { max: maxBatchOperations },
      });
    }
    const { clock, random } = this.#options;
    // A repeat of this very call is known by it; nobody else has it.
    const kept = keptBy(scopeOpId("tell", uuidv7(clock, random)), "tell");
    return await this.#append({ kept, text: changesText(changes) }, options);
  }

  async poll(): Promise<void> {
    this.#checkOpen();
    if (this.#watches.size > 0) await this.#polling.poll();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const watch of [...this.#watches]) watch.end();
    this.#polling.stop();
    await this.#appends.close();
    if (this.#options.isOwn) this.#options.redis.close();
  }

  async #append(append: Append, limits: CallLimits): Promise<Position> {
    const appended = await within(this.#options.timers, limits, this.#appends.add(append));
    if (appended !== "reused") return { shard: 0, ...appended };
    throw new WarpError(
      "op_id_reused",
      "this op id was used for a different operation; make a new one for each operation",
    );
  }

  async #look(): Promise<boolean> {
    const now = await this.#stream.look();
    const hasMoved = now !== this.#seen;
    this.#seen = now;
    if (hasMoved || this.#isBroken) this.#wake();
    return hasMoved;
  }

  #wake(): void {
    this.#isBroken = false;
    for (const watch of this.#watches) watch.wake();
  }

  #checkOpen(): void {
    if (this.#closed) throw new WarpError("warp_closed", "this watch bus is closed");
  }
}

function keptBy(opId: string, print: string): NonNullable<Append["kept"]> {
  return { minute: Math.floor((opIdTime(opId) ?? 0) / 60_000), opId, print };
}

/** Where a watch begins that asks for a place. Throws `invalid_cursor`. */
function startAt(
  asked: { readonly epoch: string; readonly revision: number },
  head: WatchPlace,
): Pick<UpstashWatchParts, "place" | "begins"> {
  if (asked.epoch !== head.epoch) return { place: head, begins: { gap: "epoch" } };
  if (asked.revision > head.revision) throw cursorAhead();
  if (asked.revision === head.revision) return { place: head, begins: "there" };
  return { place: { ...asked, seq: 0, id: undefined }, begins: "there" };
}
