import type { BackingPosition, LogPlace } from "../../backing/backing.ts";
import { isAfter } from "../../backing/batch.ts";
import { WarpError } from "../../errors.ts";
import { backingTimeoutMs } from "../../runtime/backing-limits.ts";
import { fraction } from "../../runtime/random.ts";
import type { Ledger } from "../ledger.ts";
import { firstRefillSeq } from "./refills.ts";
import type { Mark, Refill } from "./storage-mark.ts";
import { ledgerOf, type StorageParts } from "./storage-parts.ts";

const limits = { timeoutMs: backingTimeoutMs };

/** Whose the storage is: takes it over for this life of the log, and judges a position that is not the one that was confirmed. */
export class Binding {
  readonly #parts: StorageParts;
  /** Times that the storage had less than it had confirmed. */
  losses = 0;

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  /** Before the first batch of a life of the log. `mark`: of an earlier life. Throws `misconfigured` where another has the storage. */
  async bind(ledger: Ledger, mark: Mark | undefined, shard: number): Promise<void> {
    const { backing } = this.#parts;
    const { epoch } = ledger;
    const found = await backing.position(shard, limits);
    if (found?.epoch === epoch) {
      // Bound already, by an instance that ended before it could note it. Nothing is sent before that is noted.
      if (found.revision > 0 || found.seq >= firstRefillSeq) return await this.renew(epoch);
      return await this.#note(epoch, { shard, position: found, ...this.#again(mark) });
    }
    const isOther = mark !== undefined && found !== null && found.epoch !== mark.position.epoch;
    if (isOther && !(await this.#isOwn())) throw taken();
    await this.#begin(epoch, shard, found, mark);
  }

  /** The storage is not where it was confirmed to be; `isTried`: this instance has sent something that ends where it is. Throws as {@link bind}. */
  async elsewhere(
    ledger: Ledger,
    mark: Mark,
    found: BackingPosition | null,
    isTried: boolean,
  ): Promise<void> {
    const { epoch } = ledger;
    const { shard, position, refill } = mark;
    if (found === null) {
      this.#lost(position, found);
      return await this.#begin(epoch, shard, null, mark);
    }
    if (found.epoch !== epoch) {
      if (!(await this.#isOwn())) throw taken();
      // By a life of this log that it has lost.
      return await this.renew(epoch);
    }
    if (isAfter(found, position)) {
      // An earlier batch has arrived whose answer was lost, unless that was in a future that this log has lost.
      const isOurs =
        isTried ||
        (found.revision <= ledger.log.head && (refill !== undefined || (await this.proves(found))));
      if (!isOurs) return await this.renew(epoch);
      return await this.#note(epoch, { ...mark, position: found });
    }
    this.#lost(position, found);
    const { table, refills } = this.#parts;
    const first = table.first();
    const isInLog =
      refill?.from !== "keys" &&
      found.seq < firstRefillSeq &&
      reaches(ledger, found) &&
      // The log is told up to there only.
      (first === undefined || !refills.hasAdopted(first.revision));
    const again = isInLog ? { refill: { from: "log" } as const } : this.#again(mark);
    return await this.#note(epoch, { shard, position: found, ...again });
  }

  /** Where the log was trimmed before all of it had gone again, all keys go instead. Gives whether that is so. */
  async outrun(ledger: Ledger, mark: Mark): Promise<boolean> {
    if (mark.refill?.from !== "log" || reaches(ledger, mark.position)) return false;
    await this.#note(ledger.epoch, { ...mark, ...this.#again(mark) });
    return true;
  }

  /**
   * Whether what waits up to this place is what the storage has carried out there. A log that was set back gives revisions twice: then the storage has others under
   * them.
   */
  async proves(place: LogPlace): Promise<boolean> {
    const { table, backing } = this.#parts;
    if (!table.has(place)) return false;
    const last = table.lastValue(place);
    if (last === undefined) return true;
    const [entry] = await backing.read([last.key], limits);
    return entry?.stamp?.version === last.version && entry.modifiedAtMs === last.atMs;
  }

  /** Begins a new life of the log, unless that has been done. */
  async renew(epoch: string): Promise<void> {
    const { commit, residence, report, space } = this.#parts;
    report?.("a shard was set back: its storage has a later state of it", { space: space.name });
    await commit.submit(() => {
      if (ledgerOf(this.#parts)?.epoch === epoch) residence.renew();
    });
  }

  #lost(confirmed: LogPlace, found: LogPlace | null): void {
    const { report, space } = this.#parts;
    this.losses++;
    report?.("the storage behind a shard has lost what it had confirmed; it goes there again", {
      space: space.name,
      confirmed: confirmed.revision,
      found: found?.revision,
    });
  }

  /** Takes the storage over from what was found there. */
  async #begin(
    epoch: string,
    shard: number,
    found: BackingPosition | null,
    mark: Mark | undefined,
  ): Promise<void> {
    const { random } = this.#parts;
    // Not the same place again: what was sent to an earlier beginning may still be on its way.
    const position = { epoch, revision: 0, seq: Math.floor(fraction(random) * firstRefillSeq) };
    await this.#own();
    const isBound = await this.#parts.backing.bind(shard, found, position, limits);
    if (!isBound) throw contended();
    await this.#note(epoch, { shard, position, ...this.#again(mark) });
  }

  /** Whether the storage was bound last by this space: by a life that its log has lost, then. */
  async #isOwn(): Promise<boolean> {
    const { backing, space } = this.#parts;
    return (await backing.position(space.shards, limits))?.epoch === space.id;
  }

  /** Says whose the storage is, in the place of the shard after the last one. */
  async #own(): Promise<void> {
    const { backing, space } = this.#parts;
    const found = await backing.position(space.shards, limits);
    if (found?.epoch === space.id) return;
    const isNoted = await backing.bind(space.shards, found, { epoch: space.id, revision: 0, seq: 0 }, limits);
    if (!isNoted && !(await this.#isOwn())) throw contended();
  }

  /** All keys once more, unless nothing was ever confirmed: then everything waits in the outbox. */
  #again(mark: Mark | undefined): { readonly refill?: Refill } {
    if (mark === undefined) return {};
    const { table, residence } = this.#parts;
    // Of the oldest revision that waits a part may have been confirmed.
    const upTo = table.first()?.revision ?? residence.open()?.log.head ?? 0;
    return { refill: { from: "keys", upTo } };
  }

  async #note(epoch: string, mark: Mark): Promise<void> {
    const { commit, table } = this.#parts;
    await commit.submit(() => {
      if (ledgerOf(this.#parts)?.epoch !== epoch) return;
      table.removeTo(mark.position);
      this.#parts.mark.write(mark);
    });
  }
}

/** Whether the log has all that is behind a place. */
function reaches({ log }: Ledger, place: LogPlace): boolean {
  return log.floor === 0 || place.revision > log.floor;
}

function contended(): WarpError {
  return new WarpError("storage_unavailable", "the storage was taken over by another at the same moment");
}

function taken(): WarpError {
  return new WarpError(
    "misconfigured",
    "another deployment writes to this storage under the space's name: what waits here stays here",
  );
}
