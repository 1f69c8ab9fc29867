import { isAfter } from "../../backing/batch.ts";
import { backingReadTimeoutMs } from "../../runtime/backing-limits.ts";
import type { Ledger } from "../ledger.ts";
import type { StorageParts } from "./storage-parts.ts";

/** What the storage is known to have of this life of the shard. */
export class Confirmations {
  readonly #parts: StorageParts;

  constructor(parts: StorageParts) {
    this.#parts = parts;
  }

  /** Whether the storage has confirmed what was written at this version. What was adopted counts only once all that is older has gone, too. */
  has(ledger: Ledger, version: number): boolean {
    return this.upTo(ledger)(version);
  }

  /** {@link has}, for many versions in one stretch. */
  upTo({ epoch }: Ledger): (version: number) => boolean {
    const mark = this.#parts.mark.read();
    // Where something goes there once more, nobody knows which keys it lacks.
    if (mark === undefined || mark.position.epoch !== epoch || mark.refill !== undefined) return () => false;
    const oldest = this.#parts.table.first()?.revision;
    return (version) => oldest === undefined || version < oldest;
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
