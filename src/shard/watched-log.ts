import type { Payload } from "../protocol/payload.ts";
import type { WatchTarget } from "../protocol/watch.ts";
import type { Clock } from "../runtime/clock.ts";
import { maxCatchUpPages, maxListLimit, maxPushEntries, maxWatchFrameBytes } from "../runtime/limits.ts";
import type { EntryHead } from "./entry-reader.ts";
import type { LogPosition, PublishedLog } from "./published-log.ts";
import type { Residence } from "./residence.ts";
import type { SnapshotSupply } from "./snapshot-supply.ts";
import type { EntryPage, StatePage, WatchSizes, WatchSource } from "./watch-source.ts";

export type { EntryPage, WatchSizes } from "./watch-source.ts";

export const defaultSizes: WatchSizes = {
  entries: maxPushEntries,
  keys: maxListLimit,
  bytes: maxWatchFrameBytes,
  pages: maxCatchUpPages,
};

/** The log and the keys of a shard as those who watch see them. What it gives may not be durable yet, unless it asks for no more than `position`. */
export class WatchedLog implements WatchSource {
  readonly #residence: Residence;
  readonly #published: PublishedLog;
  readonly #clock: Clock;
  readonly sizes: WatchSizes;
  readonly #supply: SnapshotSupply;

  constructor(
    residence: Residence,
    published: PublishedLog,
    clock: Clock,
    supply: SnapshotSupply,
    sizes: WatchSizes = defaultSizes,
  ) {
    this.sizes = sizes;
    this.#supply = supply;
    this.#residence = residence;
    this.#published = published;
    this.#clock = clock;
  }

  /** Up to here all may be told. Undefined while a new life of the log is not durable yet. */
  get position(): LogPosition | undefined {
    return this.#published.position;
  }

  /** Up to here the log and the keys are written. */
  get written(): LogPosition {
    return this.#published.written;
  }

  /** The next entries after a revision of the present epoch, up to `upTo`; undefined where the log does not reach back so far. */
  page(after: number, upTo: number): EntryPage | undefined {
    const ledger = this.#residence.open();
    // A log that nothing was ever written to reaches back to its beginning.
    if (ledger === undefined) return after === 0 ? { after, to: upTo, heads: [] } : undefined;
    if (after < ledger.log.floor) return undefined;
    const found = ledger.entries.heads(after, upTo, this.sizes.entries + 1);
    // The revision that the page has no room for is the next page's, all of it.
    const beyond = found[this.sizes.entries]?.revision;
    const to = beyond === undefined ? upTo : beyond - 1;
    return {
      after,
      to,
      heads: beyond === undefined ? found : found.filter(({ revision }) => revision <= to),
    };
  }

  payload(head: EntryHead): Payload | undefined {
    return this.#residence.open()?.entries.payload(head);
  }

  /** At the written head: see {@link WatchSource.state}. */
  state(target: WatchTarget, after: string | undefined, values: boolean): StatePage | "later" {
    const ledger = this.#residence.open();
    const nowMs = this.#clock.now();
    const at = this.written;
    if (ledger === undefined) return { at, items: [], more: false };
    const { keys } = ledger;
    if ("prefix" in target) {
      const bytes = values ? this.sizes.bytes : undefined;
      const page = keys.list(target.prefix, after, this.sizes.keys, nowMs, bytes);
      const names = values ? page.items.map(({ key }) => key) : [];
      return this.#supply.has(ledger, names) ? { at, ...page } : "later";
    }
    if (!this.#supply.has(ledger, [target.key])) return "later";
    const entry = keys.get(target.key, nowMs);
    if (entry === undefined) return { at, items: [], more: false };
    const { key, version, payload } = entry;
    return { at, items: [values ? { key, version, payload } : { key, version }], more: false };
  }

  /** Settles when it is worth asking for the state again that is to come later; rejects where it can't be had. */
  comes(): Promise<void> {
    return this.#supply.comes();
  }

  reach(): undefined {
    return undefined;
  }
}
