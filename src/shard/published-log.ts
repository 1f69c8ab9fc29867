import type { Change } from "../protocol/shard-api.ts";
import type { Publication } from "../protocol/watch.ts";
import { maxPushEntries } from "../runtime/limits.ts";
import type { Residence } from "./residence.ts";
import { unwrittenEpoch } from "./unwritten.ts";

/** A place in the log. */
export interface LogPosition {
  readonly epoch: string;
  readonly revision: number;
}

/** The entries of `(after, to]`, in order; those of one revision are always together. */
export interface LogPage {
  readonly after: number;
  readonly to: number;
  readonly changes: readonly Change[];
}

/** Who is told of a log. None of the calls may throw. */
export interface LogListener {
  /** More of it is durable, or another life of it has begun. */
  grown(): void;
  ended(): void;
  /** Something is to be told that the log does not keep. */
  told?(publication: Publication): void;
  /** So many of these may have been left out. */
  missed?(count: number): void;
}

/**
 * The part of a shard's log that is durable: what others may be told. Commits say when they are (`settle`), and whoever listens is told once
 * for each.
 */
export class PublishedLog {
  readonly #residence: Residence;
  readonly #durable: () => Promise<void>;
  #at: LogPosition;
  readonly #listeners = new Set<LogListener>();

  constructor(residence: Residence, durable: () => Promise<void>) {
    this.#residence = residence;
    this.#durable = durable;
    // What is in the database when an instance starts is durable.
    this.#at = this.written;
  }

  /** Gives how to stop it. */
  listen(listener: LogListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The newest durable position; undefined while a new life of the log is not durable yet. */
  get position(): LogPosition | undefined {
    const { epoch, revision } = this.written;
    if (revision === 0 && epoch === unwrittenEpoch) return { epoch, revision };
    return epoch === this.#at.epoch ? this.#at : undefined;
  }

  /** Whether `position` claims what this log has never reached: the storage was set back. */
  isBehind(position: LogPosition): boolean {
    const written = this.written;
    return written.epoch === position.epoch && written.revision < position.revision;
  }

  /** The next entries after a revision of the present epoch; undefined where the log does not reach back so far. */
  page(after: number): LogPage | undefined {
    const log = this.#residence.open()?.log;
    if (log === undefined || after < log.floor) return undefined;
    const head = this.#at.revision;
    const found = log.since(after, maxPushEntries + 1);
    // The revision that the page has no room for is the next page's, all of it.
    const beyond = found[maxPushEntries]?.revision ?? head + 1;
    const to = Math.min(head, beyond - 1);
    return { after, to, changes: found.filter(({ revision }) => revision <= to) };
  }

  /** Waits until all that is written is durable, and tells. */
  async settle(): Promise<void> {
    const written = this.written;
    await this.#durable();
    const isOlder = written.epoch === this.#at.epoch && written.revision <= this.#at.revision;
    if (isOlder) return;
    this.#at = written;
    for (const listener of this.#listeners) listener.grown();
  }

  /** {@link settle}, for those who don't wait. */
  settleBehind(): void {
    // Where it fails nothing is told, and the host ends the instance, as it does for the read that wrote this.
    this.settle().catch(() => undefined);
  }

  /** What those who listen waited for may be there. */
  wake(): void {
    for (const listener of this.#listeners) listener.grown();
  }

  /** Tells those who listen now. */
  tell(publication: Publication): void {
    for (const listener of this.#listeners) listener.told?.(publication);
  }

  /** The space is gone, and this log with it. */
  end(): void {
    for (const listener of this.#listeners) listener.ended();
  }

  /** Up to where the log is written; not all of it may be durable. */
  get written(): LogPosition {
    const ledger = this.#residence.open();
    if (ledger === undefined) return { epoch: unwrittenEpoch, revision: 0 };
    return { epoch: ledger.epoch, revision: ledger.log.head };
  }
}
