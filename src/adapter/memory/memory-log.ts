import type { Payload } from "../../protocol/payload.ts";
import type { WatchKind } from "../../protocol/watch.ts";
import { maxLogValueBytes } from "../../runtime/limits.ts";
import type { Change } from "../adapter.ts";

/** An entry of the log with what it brought, for those who watch. */
export interface LoggedEntry {
  readonly revision: number;
  readonly kind: Change["kind"] | WatchKind;
  readonly key: string;
  /** Absent where there is none, where it is too large to be kept here, and where it had to go. */
  readonly payload?: Payload | undefined;
}

interface Kept {
  readonly revision: number;
  /** Undefined: a publication, of which nodes have nothing to drop. */
  readonly change: Change | undefined;
  readonly entry: LoggedEntry;
}

/** The changes of one in-process storage: revisions 1, 2, 3 …, of which a transaction's entries share one; about the newest `maxEntries` entries are kept. */
export class MemoryLog {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  #entries: Kept[] = [];
  #head = 0;
  #floor = 0;
  /** Bytes of the values in the entries, and the place of the oldest that may have one. */
  #bytes = 0;
  #oldest = 0;
  /** Inside {@link together}: whether an entry has taken the revision that they share. */
  #shared: { taken: boolean } | undefined;

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  /** The newest revision; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** The oldest revision that {@link since} can go back to. */
  get floor(): number {
    return this.#floor;
  }

  /** What `work` appends shares one revision. */
  together<T>(work: () => T): T {
    this.#shared = { taken: false };
    try {
      return work();
    } finally {
      this.#shared = undefined;
    }
  }

  /** Adds an entry and gives its revision. */
  append(kind: LoggedEntry["kind"], key: string, payload?: Payload): number {
    if (this.#shared?.taken !== true) this.#head++;
    if (this.#shared !== undefined) this.#shared.taken = true;
    const revision = this.#head;
    const change = kind === "publish" || kind === "publishPrefix" ? undefined : { revision, kind, key };
    // A large value can be read from its key; a publication is nowhere else.
    const isKept =
      payload !== undefined && (change === undefined || payload.bytes.length <= maxLogValueBytes);
    const kept = isKept ? payload : undefined;
    // One object does for both where there is no value.
    const entry =
      change !== undefined && kept === undefined ? change : { revision, kind, key, payload: kept };
    this.#entries.push({ revision, change, entry });
    this.#bytes += kept?.bytes.length ?? 0;
    while (this.#bytes > this.#maxBytes) this.#dropOldestValue();
    // In one piece now and then: shifting one by one would move the whole array each time.
    if (this.#entries.length >= this.#maxEntries * 2) this.#trim();
    return this.#head;
  }

  /** At most `limit` changes after `revision`, and the rest of the last one's revision; `revision` must not be below the floor. */
  since(revision: number, limit: number): readonly Change[] {
    const changes: Change[] = [];
    for (let at = this.#after(revision); at < this.#entries.length; at++) {
      const change = this.#entries[at]?.change;
      if (change === undefined) continue;
      if (changes.length >= limit && change.revision !== changes.at(-1)?.revision) break;
      changes.push(change);
    }
    return changes;
  }

  /** As {@link since}, with publications and with what entries brought. */
  entries(revision: number, limit: number): readonly LoggedEntry[] {
    const first = this.#after(revision);
    const last = this.#entries[Math.min(first + limit, this.#entries.length) - 1];
    const end = last === undefined ? first : this.#after(last.revision);
    return this.#entries.slice(first, end).map(({ entry }) => entry);
  }

  #dropOldestValue(): void {
    const kept = this.#entries[this.#oldest];
    if (kept?.entry.payload !== undefined) {
      this.#bytes -= kept.entry.payload.bytes.length;
      this.#entries[this.#oldest] = { ...kept, entry: { ...kept.entry, payload: undefined } };
    }
    this.#oldest++;
  }

  #trim(): void {
    const goes = this.#entries.at(-this.#maxEntries - 1)?.revision ?? this.#floor;
    const first = this.#after(goes);
    while (this.#oldest < first) this.#dropOldestValue();
    this.#entries = this.#entries.slice(first);
    this.#oldest -= first;
    this.#floor = goes;
  }

  /** The place of the first entry after `revision`. */
  #after(revision: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
