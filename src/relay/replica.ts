import type { RelayBatch, RelayEntry } from "../protocol/relay.ts";
import { maxRelayBytes, maxRelayEntries } from "../runtime/relay-limits.ts";
import type { LogPosition } from "../shard/published-log.ts";
import type { EntryPage } from "../shard/watch-source.ts";

/** How much of the log a {@link Replica} keeps. */
export interface ReplicaSize {
  readonly entries: number;
  /** Of values. */
  readonly bytes: number;
}

/**
 * The newest part of a shard's log as a relay was fed it: all entries of `(floor, position]`. In memory only: what an instance has lost the shard still has, and a
 * row for each entry in each relay would cost more than to ask for it.
 */
export class Replica {
  readonly #size: ReplicaSize;
  #at: LogPosition | undefined;
  #floor = 0;
  #entries: RelayEntry[] = [];
  #bytes = 0;
  /** Shards of the space; 0: not known. */
  shards = 0;

  constructor(size: ReplicaSize = { entries: maxRelayEntries, bytes: maxRelayBytes }) {
    this.#size = size;
  }

  /** Undefined: it was fed nothing yet. */
  get position(): LogPosition | undefined {
    return this.#at;
  }

  /** It can't tell what was before. */
  get floor(): number {
    return this.#floor;
  }

  /**
   * Takes a batch in; gives whether it brought anything. One that begins beyond the end is a new beginning: whoever stands before it is told by other ways.
   * `asked`: the epoch at which it was asked for, where it was; an answer from before a change of the epoch is of no use any more.
   */
  apply({ epoch, after, to, entries, shards }: RelayBatch, asked = this.#at?.epoch): boolean {
    const at = this.#at;
    if (epoch !== at?.epoch && asked !== at?.epoch) return false;
    this.shards = shards;
    if (at === undefined || epoch !== at.epoch || after > at.revision) this.#restart(after);
    else if (to <= at.revision) return false;
    const from = epoch === at?.epoch ? at.revision : after;
    for (const entry of entries) if (entry.revision > from) this.#add(entry);
    this.#at = { epoch, revision: to };
    this.#trim();
    return true;
  }

  /** Entries of `(after, upTo]`, at most `limit`, where `after` is not below the floor. */
  page(after: number, upTo: number, limit: number): EntryPage {
    return pageOf(this.#entries, after, upTo, limit);
  }

  /** Forgets all. */
  clear(): void {
    this.#at = undefined;
    this.#restart(0);
  }

  #restart(after: number): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#floor = after;
  }

  #add(entry: RelayEntry): void {
    this.#entries.push(entry);
    this.#bytes += bytesOf(entry);
  }

  /** Revisions go as a whole, and many at a time. */
  #trim(): void {
    const { entries, bytes } = this.#size;
    if (this.#entries.length <= entries && this.#bytes <= bytes) return;
    let gone = 0;
    for (const entry of this.#entries) {
      const isEnough = this.#entries.length - gone <= (entries * 3) / 4 && this.#bytes <= (bytes * 3) / 4;
      if (isEnough && entry.revision !== this.#floor) break;
      this.#floor = entry.revision;
      this.#bytes -= bytesOf(entry);
      gone++;
    }
    this.#entries = this.#entries.slice(gone);
  }
}

/** The part of a run of entries that is a page: those of one revision are always together. */
export function pageOf(
  entries: readonly RelayEntry[],
  after: number,
  upTo: number,
  limit: number,
): EntryPage {
  const start = firstBeyond(entries, after);
  const beyond = entries[start + limit];
  const to = beyond === undefined ? upTo : Math.min(upTo, beyond.revision - 1);
  return { after, to, heads: entries.slice(start, firstBeyond(entries, to)) };
}

/** The place of the first entry beyond a revision. */
function firstBeyond(entries: readonly RelayEntry[], revision: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = entries[middle];
    if (entry !== undefined && entry.revision > revision) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** About what an entry takes. */
function bytesOf({ payload, key }: RelayEntry): number {
  return (payload?.bytes.length ?? 0) + key.length;
}
