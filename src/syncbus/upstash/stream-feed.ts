import type { Clock } from "../../runtime/clock.ts";
import { uuidv7 } from "../../runtime/ids.ts";
import type { Random } from "../../runtime/random.ts";
import { upstashEntriesAtOnce } from "../../runtime/upstash-limits.ts";
import { type BusEntry, writeEntries } from "./bus-entry.ts";
import { type BusStream, cursorAt, type PlacedEntry, type StreamCursor } from "./bus-stream.ts";

/** What {@link StreamFeed} works with. */
export interface StreamFeedParts {
  readonly stream: BusStream;
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Where it goes on; undefined: at the stream's end, when it begins. */
  readonly cursor: StreamCursor | undefined;
  /** Entries of other nodes, in their order. */
  readonly take: (entries: readonly BusEntry[]) => void;
  /** Nobody can say what was told here. `id` names that. */
  readonly missed: (id: string) => void;
  /** An entry that can't be read. */
  readonly unreadable: (error: unknown) => void;
}

/** Reads a stream from where it was read last, and notices where something is missing in between. */
export class StreamFeed {
  readonly #parts: StreamFeedParts;
  #cursor: StreamCursor | undefined;

  constructor(parts: StreamFeedParts) {
    this.#parts = parts;
    this.#cursor = parts.cursor;
  }

  /** Behind all that was read; undefined: it has not begun. */
  get cursor(): StreamCursor | undefined {
    return this.#cursor;
  }

  /** Begins at the end, unless it has begun. Throws as {@link BusStream.head}. */
  async begin(): Promise<void> {
    if (this.#cursor !== undefined) return;
    const cursor = await this.#head();
    // The first that is known: a later one than somebody relies on would leave out what stands between. Nobody waits for another's, whose request may have ended.
    this.#cursor ??= cursor;
  }

  /** Reads all that there is; gives whether there was something. Throws as {@link BusStream.after}: then it goes on there the next time. */
  async read(): Promise<boolean> {
    let found = false;
    for (;;) {
      if (this.#cursor === undefined) return found;
      const entries = await this.#parts.stream.after(this.#cursor);
      if (entries === undefined) {
        // First the new place: what comes after it is told as itself.
        this.#cursor = await this.#head();
        this.#miss();
        return true;
      }
      found ||= entries.length > 0;
      this.#take(entries);
      const last = entries.at(-1);
      if (last !== undefined) this.#cursor = cursorAt(last);
      if (entries.length < upstashEntriesAtOnce) return found;
    }
  }

  #take(entries: readonly PlacedEntry[]): void {
    const { node, take, unreadable } = this.#parts;
    const readable: BusEntry[] = [];
    let isMissing = false;
    for (const { entry, error } of entries) {
      if (entry === undefined) {
        unreadable(error);
        isMissing = true;
      } else if (entry.node !== node) readable.push(entry);
    }
    if (readable.length > 0) take(readable);
    // What can't be read may have been about anything.
    if (isMissing) this.#miss();
  }

  #miss(): void {
    const { clock, random, missed } = this.#parts;
    missed(uuidv7(clock, random));
  }

  #head(): Promise<StreamCursor> {
    const { stream, node, clock, random } = this.#parts;
    const [mark = ""] = writeEntries(node, [], () => uuidv7(clock, random));
    return stream.head(mark);
  }
}
