import { WarpError } from "../errors.ts";
import type { Timers } from "../runtime/clock.ts";
import type { BehindSlot } from "./behind.ts";
import type { Ledger } from "./ledger.ts";
import { valuesOf } from "./supply.ts";

/** How long what was brought stays at least: whoever asked for it has to be told first. */
const stayMs = 1_000;

/** Brings values that snapshots are to tell and that only the storage behind the shard has, and says when they are here. */
export class SnapshotSupply {
  readonly #behind: BehindSlot;
  readonly #timers: Timers;
  readonly #come: () => void;
  #bringing: Promise<void> | undefined;

  /** `come`: called when it is worth asking again. */
  constructor(behind: BehindSlot, timers: Timers, come: () => void) {
    this.#behind = behind;
    this.#timers = timers;
    this.#come = come;
  }

  /** Whether the values of all these keys are here; else they are brought. */
  has(ledger: Ledger, keys: readonly string[]): boolean {
    if (ledger.space.storage === undefined) return true;
    // Nobody may have called this instance yet.
    const loading = this.#behind.ready(ledger.space);
    if (loading !== undefined) {
      this.#bring(loading);
      return false;
    }
    const supply = this.#behind.present?.begin();
    const isHere = supply === undefined || supply.has(ledger, valuesOf(keys));
    if (isHere || this.#bringing !== undefined) {
      supply?.end();
      return isHere;
    }
    this.#bring(
      supply.bring().then((refused) => {
        this.#timers.after(stayMs, () => supply.end());
        if (refused !== undefined) throw WarpError.fromData(refused.refused);
      }),
    );
    return false;
  }

  #bring(coming: Promise<void>): void {
    if (this.#bringing !== undefined) return;
    const ended = (): void => {
      this.#bringing = undefined;
    };
    this.#bringing = coming.finally(ended);
    // The storage may be down for a while: who watches live goes on, snapshots wait.
    this.#bringing.then(this.#come, () => this.#timers.after(stayMs, this.#come));
  }

  /** Settles when what is being brought is here; rejects where it can't be had. */
  async comes(): Promise<void> {
    await this.#bringing;
  }
}
