import { dropRestMs, dropStretch, maxRecentKeys } from "../../runtime/backing-limits.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Ledger } from "../ledger.ts";
import type { DropCandidate, KeyPlaces } from "./key-places.ts";

/** Where it stops, once too much is kept: else each write would be followed by one drop. */
const enough = 0.9;
/** Rounds through all keys without enough to drop, after which it waits for something to change. */
const maxRounds = 2;

/** What a {@link Dropper} works on. */
export interface DropperOptions {
  /** Bytes of values that the shard keeps. */
  readonly keepBytes: number;
  readonly places: KeyPlaces;
  readonly commit: GroupCommit;
  readonly clock: Clock;
  readonly timers: Timers;
  /** The shard's ledger; undefined: there is nothing to drop any more. */
  readonly ledger: () => Ledger | undefined;
  /** Whether calls under way need the value of a key. */
  readonly isPinned: (key: string) => boolean;
  /** Tells which values the storage is known to have. */
  readonly confirmed: (ledger: Ledger) => (candidate: DropCandidate) => boolean;
}

/**
 * Lets go of values that the storage has confirmed, while the shard keeps more of them than it is to: round and round through the keys, past those that were used since the
 * hand was there last. In stretches of their own, behind what made them necessary.
 */
export class Dropper {
  readonly #options: DropperOptions;
  readonly #recent = new Set<string>();
  #hand = new Uint8Array(0);
  #rounds = 0;
  #dropped = 0;
  #seen = 0;
  #restsUntilMs = 0;
  #running = false;
  /** Something has changed since the hand began. */
  #isWoken = false;
  #isEnded = false;

  constructor(options: DropperOptions) {
    this.#options = options;
  }

  /** A key was read or written. */
  used(key: string): void {
    if (this.#recent.size >= maxRecentKeys) this.#recent.clear();
    this.#recent.add(key);
  }

  /** Something may be dropped now that could not be, or must be. */
  wake(): void {
    const { clock, ledger } = this.#options;
    if (this.#running) {
      this.#isWoken = true;
      return;
    }
    if (this.#isEnded || clock.now() < this.#restsUntilMs) return;
    if (this.#isBelow(ledger(), 1)) return;
    this.#running = true;
    this.#isWoken = false;
    this.#rounds = 0;
    this.#dropped = 0;
    this.#seen = 0;
    this.#options.timers.after(0, () => void this.#run());
  }

  end(): void {
    this.#isEnded = true;
  }

  async #run(): Promise<void> {
    try {
      let goesOn = true;
      while (goesOn && !this.#isEnded) goesOn = await this.#options.commit.submit(() => this.#stretch());
      // Many keys would be looked through again with every batch that is confirmed.
      if (this.#dropped === 0 && this.#seen > dropStretch * maxRounds)
        this.#restsUntilMs = this.#options.clock.now() + dropRestMs;
    } catch {
      // A database that refuses writes refuses those of callers, too: they are told. The next wake tries again.
    } finally {
      this.#running = false;
      if (this.#isWoken) this.wake();
    }
  }

  /** Gives whether there is more to do. */
  #stretch(): boolean {
    const { places, ledger, confirmed } = this.#options;
    const present = ledger();
    if (present === undefined) return false;
    const isConfirmed = confirmed(present);
    const stretch = places.stretch(this.#hand, dropStretch);
    this.#seen += stretch.length;
    for (const candidate of stretch) {
      if (this.#isBelow(present, enough)) return false;
      this.#hand = new Uint8Array(candidate.bytes);
      if (this.#mayGo(present, candidate) && isConfirmed(candidate)) {
        places.drop(candidate.bytes);
        present.keys.moved(-candidate.sizeBytes);
        this.#dropped++;
      }
    }
    if (stretch.length === dropStretch) return true;
    this.#hand = new Uint8Array(0);
    this.#recent.clear();
    return ++this.#rounds < maxRounds && !this.#isBelow(present, enough);
  }

  #mayGo({ registrations }: Ledger, { key, sizeBytes }: DropCandidate): boolean {
    // What is superseded becomes a kept version, and those are the shard's to keep.
    return (
      sizeBytes > 0 &&
      !this.#recent.has(key) &&
      !this.#options.isPinned(key) &&
      registrations.history(key) === undefined
    );
  }

  #isBelow(ledger: Ledger | undefined, part: number): boolean {
    return ledger === undefined || ledger.keys.totals().valueBytes <= this.#options.keepBytes * part;
  }
}
