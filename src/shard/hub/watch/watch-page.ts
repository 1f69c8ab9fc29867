import type { Payload } from "../../../protocol/payload.ts";
import type { WireEvent } from "../../../protocol/wire/watch-frames.ts";
import { toBase64 } from "../../../runtime/bytes.ts";
import type { EntryHead } from "../../entry-reader.ts";
import type { EntryPage } from "../../watch-source.ts";

/** An entry, encoded at most once with its value and once without, for all who are told of it. */
export class WatchEntry {
  readonly head: EntryHead;
  readonly #payload: (head: EntryHead) => Payload | undefined;
  #bare: string | undefined;
  #full: string | undefined;

  constructor(head: EntryHead, payload: (head: EntryHead) => Payload | undefined) {
    this.head = head;
    this.#payload = payload;
  }

  text(withValue: boolean): string {
    if (!withValue || this.head.contentType === undefined) {
      this.#bare ??= JSON.stringify(this.#row());
      return this.#bare;
    }
    this.#full ??= JSON.stringify([...this.#row(), this.head.contentType, this.#value()]);
    return this.#full;
  }

  #row(): WireEvent {
    const { revision, kind, key, version } = this.head;
    return [revision, kind as WireEvent[1], key, version];
  }

  #value(): string | null {
    const payload = this.#payload(this.head);
    return payload === undefined ? null : toBase64(payload.bytes);
  }
}

/** A page of the log for those who watch. */
export class WatchPage {
  readonly after: number;
  readonly to: number;
  readonly entries: readonly WatchEntry[];
  /** Bytes after which a frame ends. */
  readonly maxBytes: number;

  constructor(
    { after, to, heads }: EntryPage,
    maxBytes: number,
    payload: (head: EntryHead) => Payload | undefined,
  ) {
    this.maxBytes = maxBytes;
    this.after = after;
    this.to = to;
    this.entries = heads.map((head) => new WatchEntry(head, payload));
  }

  /** The place of the first entry beyond a revision. */
  firstBeyond(revision: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle]?.head.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
