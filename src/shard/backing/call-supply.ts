import { WarpError } from "../../errors.ts";
import type { Refusal } from "../../protocol/shard-api.ts";
import { maxSupplyTries } from "../../runtime/backing-limits.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Ledger } from "../ledger.ts";
import { refuse } from "../refusal.ts";
import type { Operation } from "../strong/operation.ts";
import type { KeyNeed, Supply } from "../supply.ts";
import { isMalformed, needsOf } from "./needs.ts";

/** What calls share. */
export interface Shelf {
  /** Keys that calls under way need, and how many of them: their values are not let go of. */
  readonly pins: Map<string, number>;
  /** Told when some are not needed any more. */
  released(): void;
  /** Whether what calls can do without is not worth a try: the storage failed a moment ago. */
  readonly isPoor: boolean;
  /** Whether the shard can't say what a call needs to know of a key. */
  lacks(ledger: Ledger, need: KeyNeed, nowMs: number): boolean;
  /** Reads keys from the storage and makes what it has the shard's own. Throws where it can't be asked. */
  bring(keys: readonly string[]): Promise<void>;
}

/** What a {@link CallSupply} works on. */
export interface CallSupplyOptions {
  readonly clock: Clock;
  readonly maxValueBytes: number;
}

/** The way of one call to what only the storage has: see {@link Supply}. */
export class CallSupply implements Supply {
  readonly #shelf: Shelf;
  readonly #options: CallSupplyOptions;
  readonly #pinned = new Set<string>();
  /** Keys that it goes on without. */
  readonly #done = new Set<string>();
  #lacking: readonly KeyNeed[] = [];
  #tries = 0;

  constructor(shelf: Shelf, options: CallSupplyOptions) {
    this.#shelf = shelf;
    this.#options = options;
  }

  has(ledger: Ledger, needs: readonly KeyNeed[]): boolean {
    this.#lacking = this.#lackingOf(ledger, needs);
    return this.#lacking.length === 0;
  }

  hasFor(ledger: Ledger, operations: readonly Operation<unknown>[]): boolean {
    const { clock, maxValueBytes } = this.#options;
    const nowMs = clock.now();
    this.#lacking = operations.flatMap((operation) => {
      const lacking = this.#lackingOf(ledger, needsOf(operation, ledger, nowMs));
      return lacking.length > 0 && isMalformed(operation, maxValueBytes, nowMs) ? [] : lacking;
    });
    return this.#lacking.length === 0;
  }

  async bring(): Promise<Refusal | undefined> {
    const firm = this.#lacking.filter(({ spare }) => spare !== true);
    if (this.#tries++ >= maxSupplyTries && firm.length > 0) {
      return refuse(
        new WarpError("storage_timeout", "the keys change faster than the storage answers", {
          retryAfterMs: 100,
        }),
      );
    }
    const spare = this.#lacking.filter((need) => need.spare === true);
    const worthwhile =
      firm.length === 0 && (this.#shelf.isPoor || this.#tries > maxSupplyTries) ? [] : this.#lacking;
    try {
      if (worthwhile.length > 0) await this.#shelf.bring(worthwhile.map(({ key }) => key));
      if (worthwhile.length === this.#lacking.length) return undefined;
    } catch (error) {
      if (firm.length > 0) {
        return refuse(
          WarpError.from(error, "storage_unavailable", "the storage behind the shard could not be read"),
        );
      }
    }
    for (const { key } of spare) this.#done.add(key);
    return undefined;
  }

  end(): void {
    const { pins } = this.#shelf;
    for (const key of this.#pinned) {
      const left = (pins.get(key) ?? 1) - 1;
      if (left > 0) pins.set(key, left);
      else pins.delete(key);
    }
    if (this.#pinned.size > 0) this.#shelf.released();
    this.#pinned.clear();
  }

  #lackingOf(ledger: Ledger, needs: readonly KeyNeed[]): KeyNeed[] {
    const nowMs = this.#options.clock.now();
    return needs.filter((need) => {
      if (need.what === "value") this.#pin(need.key);
      if (need.spare === true && this.#done.has(need.key)) return false;
      return this.#shelf.lacks(ledger, need, nowMs);
    });
  }

  #pin(key: string): void {
    if (this.#pinned.has(key)) return;
    this.#pinned.add(key);
    const { pins } = this.#shelf;
    pins.set(key, (pins.get(key) ?? 0) + 1);
  }
}
