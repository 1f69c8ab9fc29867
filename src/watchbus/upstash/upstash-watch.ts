import { isWarpError } from "../../errors.ts";
import type { WatchFilter } from "../../protocol/watch.ts";
import { wants, wantsState } from "../../protocol/watch-match.ts";
import { maxListLimit } from "../../runtime/limits.ts";
import { formatWatchCursor } from "../cursor.ts";
import { type FoundEvent, newest, toEvent, withCursors } from "../events.ts";
import type { Watch, WatchItem } from "../watchbus.ts";
import type { ReadState } from "./options.ts";
import { isBehind, type WatchEntry } from "./watch-entry.ts";
import type { WatchPlace, WatchStream } from "./watch-stream.ts";

/** What {@link UpstashWatch} is made of. */
export interface UpstashWatchParts {
  readonly stream: WatchStream;
  readonly filter: WatchFilter;
  /** Behind what is not to be told. */
  readonly place: WatchPlace;
  /** Where the stream ended when it began: what is not kept is told from there on. */
  readonly head: WatchPlace;
  readonly begins: "there" | "snapshot" | { readonly gap: "epoch" | "compacted" };
  readonly state: ReadState | undefined;
  readonly ended: () => void;
  /** A read failed that may work again: whoever looks the next time wakes it. */
  readonly failed: (error: unknown) => void;
}

/** One watch of a stream: it reads when it is asked for more, so that what it has not read yet costs nothing here. */
export class UpstashWatch implements Watch {
  readonly #parts: UpstashWatchParts;
  #place: WatchPlace;
  #head: WatchPlace;
  #gap: "epoch" | "compacted" | undefined;
  /** The key that the state has come to; undefined: it is not being told. */
  #snapshot: { readonly after: string | undefined } | undefined;
  /** Versions that the state has told, until the stream is read as far as it was at the state's end. */
  #told: { readonly versions: Map<string, number>; readonly until: WatchPlace | undefined } | undefined;
  #cursor: string | undefined;
  #isOver = false;
  #isWoken = true;
  #wake: () => void = () => {};

  constructor(parts: UpstashWatchParts) {
    this.#parts = parts;
    this.#place = parts.place;
    this.#head = parts.head;
    if (parts.begins === "snapshot") this.#snapshot = { after: undefined };
    else if (parts.begins !== "there") this.#gap = parts.begins.gap;
    this.#cursor = this.#here;
  }

  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** There may be something new. */
  wake(): void {
    this.#isWoken = true;
    this.#wake();
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#parts.ended();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<readonly WatchItem[], void, void> {
    try {
      while (!this.#isOver) {
        // Only now what was told last has been taken.
        this.#cursor = this.#here;
        this.#isWoken = false;
        const items = await this.#next();
        if (this.#isOver) return;
        if (items !== undefined) {
          if (items.length > 0) yield items;
        } else if (!this.#isWoken) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.end();
    }
  }

  /** What there is to tell; empty: look again; undefined: nothing before something happens. */
  async #next(): Promise<readonly WatchItem[] | undefined> {
    try {
      if (this.#gap !== undefined) return await this.#afterGap(this.#gap);
      if (this.#snapshot !== undefined) return await this.#readState(this.#snapshot.after);
      return await this.#readStream();
    } catch (error) {
      if (this.#isOver) return undefined;
      if (!isWarpError(error, "unavailable", "deadline_exceeded") || !error.retryable) throw error;
      this.#parts.failed(error);
      return undefined;
    }
  }

  async #afterGap(why: "epoch" | "compacted"): Promise<readonly WatchItem[]> {
    const { stream, state } = this.#parts;
    this.#head = await stream.head();
    this.#place = this.#head;
    this.#gap = undefined;
    this.#told = undefined;
    if (state !== undefined) this.#snapshot = { after: undefined };
    return [{ kind: "gap", why, shard: 0, cursor: undefined }];
  }

  async #readState(after: string | undefined): Promise<readonly WatchItem[]> {
    const { filter, state, stream } = this.#parts;
    const { items, more } =
      state !== undefined && wantsState(filter)
        ? await state(filter.target, after, maxListLimit)
        : { items: [], more: false };
    // Behind the state: what was told before this is no newer.
    const until = more ? undefined : await stream.head();
    const versions = this.#told?.versions ?? new Map<string, number>();
    for (const { key, version } of items) versions.set(key, version);
    this.#told = { versions, until };
    const last = items.at(-1)?.key;
    this.#snapshot = more && last !== undefined ? { after: last } : undefined;
    const entries = items.map(({ key, version, payload }) =>
      filter.mode === "keys" ? { key, version } : { key, version, payload },
    );
    const first = after === undefined;
    return [{ kind: "snapshot", entries, first, done: !more, shard: 0, cursor: this.#here }];
  }

  async #readStream(): Promise<readonly WatchItem[] | undefined> {
    const { stream, filter } = this.#parts;
    const entries = await stream.after(this.#place);
    if (entries === undefined) return await this.#lost();
    const { epoch, revision: before } = this.#place;
    const broken = entries.findIndex((entry) => entry.epoch !== epoch || entry.events === undefined);
    if (broken === 0) this.#gap = entries[0]?.epoch === epoch ? "compacted" : "epoch";
    const whole = broken < 0 ? entries : entries.slice(0, broken);
    const last = whole.at(-1);
    if (last === undefined) return broken === 0 ? [] : undefined;
    const found = whole.flatMap((entry) => this.#wanted(entry));
    this.#place = last;
    const { until } = this.#told ?? {};
    if (until !== undefined && !isBehind(until, last)) this.#told = undefined;
    const events = newest(found, filter.mode).map((event) => toEvent(event, 0, filter.mode));
    return withCursors(events, before, (revision) => this.#cursorAt(revision));
  }

  /** What stood at its place is gone. */
  async #lost(): Promise<readonly WatchItem[]> {
    const { epoch, revision, seq } = this.#place;
    const head = await this.#parts.stream.head();
    this.#gap = head.epoch === epoch && isBehind(head, { revision, seq }) ? "compacted" : "epoch";
    return [];
  }

  /** The events of an entry that are to be told. */
  #wanted(entry: WatchEntry): readonly FoundEvent[] {
    // What is not kept is for those who watched when it was told.
    if (entry.seq > 0 && !isBehind(entry, this.#head)) return [];
    const { filter } = this.#parts;
    return (entry.events ?? []).filter((event) => {
      const isNews = this.#isNews(event);
      return isNews && wants(filter, event.kind, event.key);
    });
  }

  /** Whether the state has not told it already. */
  #isNews({ kind, key, version, revision }: FoundEvent): boolean {
    const { versions, until } = this.#told ?? {};
    const told = versions?.get(key);
    if (told === undefined || kind === "publish" || kind === "publishPrefix") return true;
    const isCounted = version !== revision || until === undefined || told <= until.revision;
    if (kind === "set" && isCounted) return version > told;
    // Versions of a storage may be none of this stream's revisions, and begin anew with each life of a key: whether an end, or a change without a version, is older than the state
    // nobody can say. Rather it is told, with all that follows it, than lost.
    versions?.delete(key);
    return true;
  }

  get #here(): string | undefined {
    return this.#snapshot !== undefined || this.#gap !== undefined
      ? undefined
      : this.#cursorAt(this.#place.revision);
  }

  #cursorAt(revision: number): string | undefined {
    return formatWatchCursor([{ epoch: this.#place.epoch, revision }]);
  }
}
