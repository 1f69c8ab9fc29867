import type { BackingEntry } from "../../backing/backing.ts";
import { isWarpError, WarpError } from "../../errors.ts";
import { adoptionBytes, adoptionChunk, backingReadTimeoutMs } from "../../runtime/backing-limits.ts";
import { randomHex } from "../../runtime/ids.ts";
import type { Ledger } from "../ledger.ts";
import { stale } from "../refusal.ts";
import type { KeyNeed, Supply } from "../supply.ts";
import type { ChangeWitness } from "../witness.ts";
import { AbsentMarks } from "./absent-marks.ts";
import { Adoption, type Landed } from "./adoption.ts";
import { CallSupply, type Shelf } from "./call-supply.ts";
import type { Confirmations } from "./confirmations.ts";
import { Doubts } from "./doubts.ts";
import { type Flight, Flights } from "./flights.ts";
import { type Judgement, judge } from "./judgement.ts";
import type { KeyPlaces } from "./key-places.ts";
import { ledgerOf, type StorageParts } from "./storage-parts.ts";

/** What {@link Supplies} work on. */
export interface SuppliesOptions {
  readonly parts: StorageParts;
  readonly places: KeyPlaces;
  readonly confirmations: Confirmations;
  /** Told of keys that are read or written. */
  readonly used: (key: string) => void;
  /** Told of keys whose values the storage has lost. */
  readonly lost: (keys: readonly string[]) => void;
  /** Told when values have come into the shard, or are not needed any more. */
  readonly grown: () => void;
}

/** Brings what only the storage has into the shard, and knows what it does not have. One for each instance of a shard. */
export class Supplies implements ChangeWitness, Shelf {
  readonly #options: SuppliesOptions;
  readonly #parts: StorageParts;
  readonly #marks: AbsentMarks;
  readonly #flights = new Flights();
  readonly #doubts: Doubts;
  readonly #places: KeyPlaces;
  /** Keys that calls under way need, and how many of them: their values are not let go of. */
  readonly pins = new Map<string, number>();
  #ledger: Ledger | undefined;
  /** Until when nobody waits for what it can do without: the storage failed a moment ago. */
  #poorUntilMs = 0;

  constructor(options: SuppliesOptions) {
    this.#options = options;
    const { parts, places } = options;
    this.#parts = parts;
    this.#marks = new AbsentMarks(parts.clock);
    this.#doubts = new Doubts(parts.sql);
    this.#places = places;
  }

  /** For one call. */
  begin(): Supply {
    return new CallSupply(this, this.#parts);
  }

  released(): void {
    this.#options.grown();
  }

  /** Whether spare needs are worth a try. */
  get isPoor(): boolean {
    return this.#parts.clock.now() < this.#poorUntilMs;
  }

  /** Whether the shard can't say what a call needs to know of a key. */
  lacks(ledger: Ledger, { key, what }: KeyNeed, nowMs: number): boolean {
    this.#enter(ledger);
    this.#options.used(key);
    const place = this.#places.find(key);
    if (place === undefined) return !this.#marks.has(key) && !this.#places.isEnding(key);
    if (place.expiresAtMs !== undefined && place.expiresAtMs <= nowMs) return false;
    if (what === "value" && place.away) return true;
    const isDoubted = place.knownAt < this.#doubts.revision(key, place.tags);
    return isDoubted && this.#options.confirmations.has(ledger, place);
  }

  isUnseen(key: string): boolean {
    return this.#places.find(key) === undefined && !this.#marks.has(key) && !this.#places.isEnding(key);
  }

  mayBeStored(key: string): boolean {
    return this.#places.find(key) === undefined;
  }

  changed(key: string): void {
    this.#flights.changed(key);
    this.#options.used(key);
  }

  invalidated(
    kind: "invalidate" | "invalidatePrefix" | "invalidateTag",
    subject: string,
    revision: number,
  ): void {
    const isMeant = (key: string): boolean =>
      kind === "invalidateTag" || (kind === "invalidate" ? key === subject : key.startsWith(subject));
    // What is on its way was asked for before; and what tags it has, nobody knows.
    this.#flights.changedAll(isMeant);
    this.#marks.forget(isMeant);
    if (kind === "invalidate") this.#places.doubt(subject);
    else this.#doubts.add(kind, subject, revision);
  }

  /** Reads keys from the storage and makes what it has the shard's own. Throws where it can't be asked. */
  async bring(keys: readonly string[]): Promise<void> {
    try {
      await this.#flights.bring(keys, (flights) => this.#fly([...flights]));
    } catch (error) {
      // A value that another call had asked for, too, is no matter of this one, not even the name of its key: it asks again.
      const broken = isWarpError(error, "decode_failed") ? error.details?.key : undefined;
      if (typeof broken === "string" && !keys.includes(broken)) return;
      this.#poorUntilMs = this.#parts.clock.now() + 1_000;
      throw WarpError.from(error, "storage_unavailable", "the storage behind the shard could not be read");
    }
  }

  async #fly(flights: readonly (readonly [string, Flight])[]): Promise<void> {
    const { backing, clock } = this.#parts;
    const { confirmations } = this.#options;
    for (const chunk of this.#chunks(flights)) {
      const askedAtMs = clock.now();
      // What the storage has yet to hear of a key may come there, and be confirmed, after it was read.
      for (const [key, flight] of chunk) if (this.#isAwaited(key)) flight.isVoid = true;
      const keys = chunk.map(([key]) => key);
      const found = await backing.read(keys, { timeoutMs: backingReadTimeoutMs });
      // What is here and not there any more was deleted by others, unless the storage has gone back in time.
      const isMissed = keys.some((key, place) => !found[place] && this.#places.find(key)?.away === false);
      const isIntact = !isMissed || (await confirmations.isIntact());
      const landed = chunk.map(
        ([key, flight], place): Landed => ({ key, flight, found: found[place] ?? null, isIntact }),
      );
      await this.#land(landed, askedAtMs);
    }
  }

  /** So few at a time that there is room for their values: one that nobody knows may be as large as a value can be. */
  *#chunks(
    flights: readonly (readonly [string, Flight])[],
  ): Iterable<readonly (readonly [string, Flight])[]> {
    let chunk: (readonly [string, Flight])[] = [];
    let bytes = 0;
    for (const one of flights) {
      const size = this.#places.find(one[0])?.awayBytes ?? this.#parts.maxValueBytes;
      if (chunk.length === adoptionChunk || (chunk.length > 0 && bytes + size > adoptionBytes)) {
        yield chunk;
        [chunk, bytes] = [[], 0];
      }
      chunk.push(one);
      bytes += size;
    }
    if (chunk.length > 0) yield chunk;
  }

  /** Whether the storage has yet to hear something about a key. */
  #isAwaited(key: string): boolean {
    const ledger = ledgerOf(this.#parts);
    const place = this.#places.find(key);
    if (place === undefined) return this.#places.isEnding(key);
    return ledger !== undefined && !place.away && !this.#options.confirmations.has(ledger, place);
  }

  async #land(landed: readonly Landed[], askedAtMs: number): Promise<void> {
    const { commit, path, random } = this.#parts;
    const { lost, grown } = this.#options;
    for (const { key, found } of landed) this.#checkSize(key, found);
    // What changes no key needs nobody's leave: it is done in a commit of its own, that others need not wait for.
    const open = await commit.submit(() => this.#settleQuietly(landed));
    for (const { key, flight } of open.absent) if (!flight.isVoid) this.#marks.add(key, askedAtMs);
    if (open.filled) grown();
    if (open.rest.length === 0) return;
    const isWhole = (ledger: Ledger): boolean => this.#options.confirmations.isWhole(ledger);
    const judged = (ledger: Ledger, one: Landed, nowMs: number): Judgement => this.#judge(ledger, one, nowMs);
    const adoption = new Adoption(`adopt:${randomHex(random, 8)}`, open.rest, isWhole, judged);
    const reply = await path.take({
      operations: [adoption],
      admit: () => ledgerOf(this.#parts) ?? stale(),
      reply: (_ledger, [verdict]) => ({ lost: verdict?.lost ?? [] }),
      writer: undefined,
      weight: open.rest.length,
    });
    grown();
    if ("lost" in reply && reply.lost.length > 0) lost(reply.lost);
  }

  /** Fills and confirms; gives what is absent, and what changes keys. */
  #settleQuietly(landed: readonly Landed[]): {
    readonly absent: readonly Landed[];
    readonly rest: readonly Landed[];
    readonly filled: boolean;
  } {
    const ledger = ledgerOf(this.#parts);
    const absent: Landed[] = [];
    const rest: Landed[] = [];
    let filled = false;
    if (ledger === undefined) return { absent, rest, filled };
    const nowMs = this.#parts.clock.now();
    for (const one of landed) {
      const { key, flight, found } = one;
      if (flight.isVoid) continue;
      const { is } = this.#judge(ledger, one, nowMs);
      if (is === "absent") absent.push(one);
      else if (is === "confirm") this.#places.confirm(key, ledger.log.head);
      else if (is === "fill" && found !== null) {
        filled = true;
        this.#places.fill(key, found.payload.bytes, ledger.log.head);
        ledger.keys.moved(found.payload.bytes.length);
      } else if (is !== "nothing") rest.push(one);
    }
    return { absent, rest, filled };
  }

  #judge(ledger: Ledger, { key, found, isIntact }: Landed, nowMs: number): Judgement {
    this.#enter(ledger);
    const place = this.#places.find(key);
    return judge({
      nowMs,
      epoch: ledger.epoch,
      head: ledger.log.head,
      place,
      isPending:
        place === undefined ? this.#places.isEnding(key) : !this.#options.confirmations.has(ledger, place),
      isDoubted: place !== undefined && place.knownAt < this.#doubts.revision(key, place.tags),
      isIntact,
      found,
    });
  }

  #checkSize(key: string, found: BackingEntry | null): void {
    const { maxValueBytes } = this.#parts;
    const bytes = found?.payload.bytes.length ?? 0;
    if (bytes <= maxValueBytes) return;
    throw new WarpError(
      "decode_failed",
      `the storage has a value of ${bytes} bytes under a key; ${maxValueBytes} are allowed`,
      {
        details: { key, bytes, max: maxValueBytes },
      },
    );
  }

  /** What was noted in a stretch that was undone is not so. */
  #enter(ledger: Ledger): void {
    if (this.#ledger === ledger) return;
    this.#ledger = ledger;
    this.#doubts.reload();
  }
}
