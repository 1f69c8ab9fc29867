import type { Timers } from "../../runtime/clock.ts";
import { maxListBytes } from "../../runtime/limits.ts";
import type { WatchEvent, WatchItem, WatchOptions, WatchTarget } from "../../watchbus/watchbus.ts";
import type { ShardWatches } from "../deployment.ts";
import { within } from "./told.ts";

/** What a long poll asks for. */
export interface ChangesAsked {
  readonly target: WatchTarget;
  readonly options: WatchOptions;
  /** How long to wait for the first event, in ms. */
  readonly waitMs: number;
  /** Most events; those of the last one's revision come all the same. */
  readonly limit: number;
  /** How long it may take to be told what has happened already, in ms. */
  readonly timeoutMs: number;
  readonly timers: Timers;
}

/** What happened since a cursor, up to another one. */
export interface ChangesFound {
  readonly cursor: string | undefined;
  readonly events: readonly WatchEvent[];
  /** What happened can't be told: read the keys, then go on from the cursor. */
  readonly gap?: string;
}

/** Where those stand who know all that has happened. */
export async function presentCursor(
  watches: ShardWatches,
  { target, options }: Pick<ChangesAsked, "target" | "options">,
): Promise<string | undefined> {
  const watch = await watches.watch(target, { ...options, from: "now" });
  watch.end();
  return watch.cursor;
}

/** What has happened since the cursor in the options; where that is nothing it waits for the first event. Throws what a watch ends with. */
export async function changesSince(watches: ShardWatches, asked: ChangesAsked): Promise<ChangesFound> {
  const { target, options, waitMs, limit, timeoutMs, timers } = asked;
  const watch = await watches.watch(target, options);
  const found = new Found(limit);
  const items = watch[Symbol.asyncIterator]();
  let next: Promise<IteratorResult<readonly WatchItem[]>> | undefined;
  const never = new Promise<never>(() => {});
  /** Takes what comes next; gives whether there may be more. */
  const take = async (forMs: number, until: Promise<void> = never): Promise<boolean> => {
    if (found.isWhole) return false;
    next ??= items.next();
    const told = await within(timers, forMs, Promise.race([next, until]));
    if (told === undefined) return false;
    next = undefined;
    if (told.done === true) return false;
    found.add(told.value);
    return true;
  };
  const takeAll = async (): Promise<void> => {
    while (await take(0));
  };
  try {
    while (await take(timeoutMs, watch.current));
    await takeAll();
    if (found.events.length === 0 && (await take(waitMs))) await takeAll();
    const { gap, events } = found;
    if (gap !== undefined) return { cursor: await presentCursor(watches, asked), events: [], gap };
    return { cursor: found.isWhole ? events.at(-1)?.cursor : watch.cursor, events };
  } finally {
    watch.end();
  }
}

/** The events of one answer. */
class Found {
  readonly events: WatchEvent[] = [];
  readonly #limit: number;
  #bytes = 0;
  gap: string | undefined;
  /** Nothing more goes in. */
  isWhole = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(items: readonly WatchItem[]): void {
    for (const item of items) {
      if (item.kind === "gap") this.gap = item.why;
      // Where the state follows, the caller is to read the keys.
      if (item.kind === "gap" || item.kind === "snapshot") this.isWhole = true;
      else if (item.kind !== "missed") this.#event(item);
      if (this.isWhole) return;
    }
  }

  #event(event: WatchEvent): void {
    const last = this.events.at(-1);
    const isFull = this.events.length >= this.#limit || this.#bytes >= maxListBytes;
    // A cursor in the middle of a revision lies before it.
    if (isFull && (last?.revision !== event.revision || last.shard !== event.shard)) {
      this.isWhole = true;
      return;
    }
    this.events.push(event);
    this.#bytes += event.payload?.bytes.length ?? 0;
  }
}
