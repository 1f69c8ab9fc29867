import { isAfter } from "../../backing/batch.ts";
import { backingReadTimeoutMs } from "../../runtime/backing-limits.ts";
import type { Ledger } from "../ledger.ts";
import type { KeyPlace } from "./key-places.ts";
import type { StorageParts } from "./storage-parts.ts";

/** A key's version, and what the storage had for it where the value came from there. */
type Known = Pick<KeyPlace, "version" | "source">;

/** What the storage is known to have of this life of the shard. */
export class Confirmations {
  readonly #parts: StorageParts;

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  /** Whether the storage has what the shard says of a key: it has confirmed it, or it is where it came from. */
  has(ledger: Ledger, place: Known): boolean {
    return this.all(ledger)(place);
  }

  /** {@link has}, for many keys in one stretch. */
  all(ledger: Ledger): (place: Known) => boolean {
    const isWhole = this.isWhole(ledger);
    const isBound = this.#parts.mark.read() !== undefined;
    const oldest = this.#parts.table.first()?.revision;
    return ({ version, source }) =>
      isWhole && (source !== undefined || (isBound && (oldest === undefined || version < oldest)));
  }

  /** Whether only what waits in the outbox is on its way there: where everything goes once more, nobody knows which keys it lacks, and what others wrote may be written over. */
  isWhole({ epoch }: Ledger): boolean {
    const mark = this.#parts.mark.read();
    return mark === undefined || (mark.position.epoch === epoch && mark.refill === undefined);
  }

  /** Whether the storage still is where it was confirmed to be: only then does what it lacks mean something. */
  async isIntact(): Promise<boolean> {
    const { mark, backing } = this.#parts;
    const before = mark.read();
    if (before === undefined) return true;
    const { shard, position } = before;
    const found = await backing.position(shard, { timeoutMs: backingReadTimeoutMs });
    return found !== null && found.epoch === position.epoch && !isAfter(position, found);
  }
}
