import type { BackingChange } from "../../backing/backing.ts";
import { changeBytes } from "../../backing/batch.ts";
import { maxBackingChanges } from "../../runtime/backing-limits.ts";

/** How much goes to the storage at a time. */
export interface CutLimits {
  readonly changes: number;
  readonly bytes: number;
}

/** Changes that are taken one by one until there is no room for the next. The first always has room: what is larger than the storage takes it refuses itself. */
export class Cut {
  readonly changes: BackingChange[] = [];
  readonly #limits: CutLimits;
  #bytes = 0;

  constructor(limits: CutLimits) {
    this.#limits = limits;
  }

  /** Whether a change with a value of `valueBytes` may have room: asked before the value is read. */
  hasRoom(valueBytes: number): boolean {
    const { changes, bytes } = this.#limits;
    if (this.changes.length === 0) return true;
    return this.changes.length < Math.min(changes, maxBackingChanges) && this.#bytes + valueBytes <= bytes;
  }

  /** Gives whether it was taken. */
  take(change: BackingChange): boolean {
    const bytes = changeBytes(change);
    if (!this.hasRoom(bytes)) return false;
    this.changes.push(change);
    this.#bytes += bytes;
    return true;
  }
}
