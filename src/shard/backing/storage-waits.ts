import type { Timers } from "../../runtime/clock.ts";
import type { OutboxTable } from "./outbox-table.ts";

/** Writers that wait until the storage has what they wrote. */
export class StorageWaits {
  readonly #table: OutboxTable;
  readonly #timers: Timers;
  readonly #waiting = new Map<() => void, number>();
  /** Up to here the storage has everything, though the rows may be there for a moment yet. */
  #confirmed = 0;

  constructor(table: OutboxTable, timers: Timers) {
    this.#table = table;
    this.#timers = timers;
  }

  /** Whether what was written at this revision has yet to be confirmed. */
  isPending(revision: number): boolean {
    return revision > this.#confirmed && this.#table.awaits(revision);
  }

  /** Settles when that is over, or this time is. */
  async settled(revision: number, timeoutMs: number): Promise<void> {
    if (!this.isPending(revision)) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        cancel();
        this.#waiting.delete(end);
        resolve();
      };
      const cancel = this.#timers.after(timeoutMs, end, { awaited: true });
      this.#waiting.set(end, revision);
    });
  }

  confirmed(revision: number): void {
    this.#confirmed = Math.max(this.#confirmed, revision);
    for (const [end, waited] of [...this.#waiting]) if (waited <= revision) end();
  }

  /** What waits may be less than it was. */
  moved(): void {
    for (const [end, revision] of [...this.#waiting]) if (!this.isPending(revision)) end();
  }

  /** Nobody is waited for any more. */
  end(): void {
    for (const end of [...this.#waiting.keys()]) end();
  }
}
