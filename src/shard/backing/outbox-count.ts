import { WarpError } from "../../errors.ts";
import type { Refusal } from "../../protocol/shard-api.ts";
import { maxOutboxBytes, maxOutboxEntries, outboxReopens } from "../../runtime/backing-limits.ts";
import { refuse } from "../refusal.ts";
import type { OutboxTable, OutboxTotals } from "./outbox-table.ts";

/** How much may wait. */
export interface OutboxBounds {
  readonly entries: number;
  readonly bytes: number;
}

const defaults: OutboxBounds = { entries: maxOutboxEntries, bytes: maxOutboxBytes };

/** How much waits for the storage, and whether it is too much. Each row is counted once: to count all of them for every write would cost more than the write. */
export class OutboxCount {
  readonly #table: OutboxTable;
  readonly #bounds: OutboxBounds;
  #counted: { readonly to: number; readonly entries: number; readonly bytes: number } | undefined;
  #isFull = false;

  constructor(table: OutboxTable, bounds: OutboxBounds = defaults) {
    this.#table = table;
    this.#bounds = bounds;
  }

  /** What waits up to `head`, the newest revision. Not inside a transaction: it may be undone. */
  totals(head: number): OutboxTotals {
    const { to, entries, bytes } = this.#counted ?? { to: -1, entries: 0, bytes: 0 };
    if (head === to) return { entries, bytes };
    const more = this.#table.totals(to, head);
    this.#counted = { to: head, entries: entries + more.entries, bytes: bytes + more.bytes };
    return this.#counted;
  }

  /** These are gone; they had been counted. */
  removed({ entries, bytes }: OutboxTotals): void {
    const counted = this.#counted;
    if (counted === undefined) return;
    this.#counted = { to: counted.to, entries: counted.entries - entries, bytes: counted.bytes - bytes };
  }

  /** Counts anew. */
  forget(): void {
    this.#counted = undefined;
  }

  /** Why nothing more may be written now. */
  full(head: number): Refusal | undefined {
    const { entries, bytes } = this.totals(head);
    const share = this.#isFull ? outboxReopens : 1;
    this.#isFull = entries > this.#bounds.entries * share || bytes > this.#bounds.bytes * share;
    if (!this.#isFull) return undefined;
    return refuse(
      new WarpError("overloaded", "too many changes wait for the storage behind this shard", {
        retryAfterMs: 1_000,
        details: { entries, bytes },
      }),
    );
  }
}
