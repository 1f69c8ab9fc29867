import type { Payload } from "../protocol/payload.ts";
import type { ListedKey } from "../protocol/shard-api.ts";
import type { WatchTarget } from "../protocol/watch.ts";
import type { EntryHead } from "./entry-reader.ts";
import type { LogPosition } from "./published-log.ts";

/** Entries of `(after, to]`; those of one revision are always together. */
export interface EntryPage {
  readonly after: number;
  readonly to: number;
  readonly heads: readonly EntryHead[];
}

/** Some keys in order, as they are at one place of the log. */
export interface StatePage {
  readonly at: LogPosition;
  readonly items: readonly Pick<ListedKey, "key" | "version" | "payload">[];
  /** Whether there are keys beyond them. */
  readonly more: boolean;
}

/** How much is told at a time. */
export interface WatchSizes {
  /** Entries of the log in one page: more than one revision ever has. */
  readonly entries: number;
  /** Keys in one page of a snapshot. */
  readonly keys: number;
  /** Bytes after which a frame ends, or such a page. */
  readonly bytes: number;
  /** Pages of one session in one stretch. */
  readonly pages: number;
}

/**
 * The log and the keys as those who watch are told them. What is not here and has to be asked for is `later`: whoever listens to the log is told
 * that it has grown when it is there, and asks again.
 */
export interface WatchSource {
  readonly sizes: WatchSizes;
  /** Up to here all may be told. Undefined while a new life of the log is not durable yet. */
  readonly position: LogPosition | undefined;
  /** Up to here the log and the keys are written. */
  readonly written: LogPosition;
  /** The next entries after a revision of the present epoch, up to `upTo`; undefined where the log does not reach back so far. */
  page(after: number, upTo: number): EntryPage | "later" | undefined;
  payload(head: EntryHead): Payload | undefined;
  /**
   * A page of what is there under `target` after the key `after`, in order of keys, at `from` or a later place of the log; with values it ends at 64 KiB
   * of them.
   */
  state(
    target: WatchTarget,
    after: string | undefined,
    values: boolean,
    from: LogPosition,
  ): StatePage | "later";
  /** Settles when a cursor of this log can be told from one that is not; undefined: it can. Rejects where nobody knows. */
  reach(cursor: LogPosition): Promise<void> | undefined;
}
