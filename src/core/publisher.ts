import { WarpError } from "../errors.ts";
import { maxPendingPublishes } from "../runtime/limits.ts";
import type { BusTarget, SyncBus } from "../syncbus/syncbus.ts";
import type { Draft } from "./draft.ts";
import type { Parts } from "./parts.ts";

/**
 * Tells other nodes over the bus what this one changed: after the storage has it, behind the reply (rule SB9). A failure harms no operation: it is a
 * `publishError` event and a figure, and the other nodes find the change by the bounds of their modes.
 */
export class Publisher {
  readonly #parts: Parts;
  readonly #bus: SyncBus;
  readonly #timeoutMs: number | undefined;
  readonly #cancels = new Set<() => void>();
  #pending = 0;

  /** `timeoutMs`: undefined waits for a bus that never answers. */
  constructor(parts: Parts, bus: SyncBus, timeoutMs: number | undefined) {
    this.#parts = parts;
    this.#bus = bus;
    this.#timeoutMs = timeoutMs;
    parts.lifetime.onEnd(() => {
      for (const cancel of this.#cancels) cancel();
    });
  }

  /** A mutation was carried out, or may have been. */
  tell({ mutation, settings }: Pick<Draft, "mutation" | "settings">): void {
    if (settings?.mode === "local" || this.#parts.lifetime.closed) return;
    const target: BusTarget =
      mutation.kind === "invalidatePrefix"
        ? { prefix: mutation.prefix }
        : mutation.kind === "invalidateTag"
          ? { tag: mutation.tag }
          : { key: mutation.key };
    if (this.#pending < maxPendingPublishes) {
      this.#parts.background.run(this.#publish(target));
      return;
    }
    const waiting = `${maxPendingPublishes} publications wait for the bus`;
    this.#failed(target, new WarpError("overloaded", waiting));
  }

  async #publish(target: BusTarget): Promise<void> {
    this.#pending++;
    try {
      await this.#withinTime(
        this.#bus.publish(target, this.#timeoutMs === undefined ? {} : { timeoutMs: this.#timeoutMs }),
      );
      this.#parts.counters.published++;
    } catch (error) {
      this.#failed(target, error);
    } finally {
      this.#pending--;
    }
  }

  /** A bus should keep the deadline itself; one that hangs must not do so for ever. */
  #withinTime(work: Promise<void>): Promise<void> {
    const timeoutMs = this.#timeoutMs;
    if (timeoutMs === undefined) return work;
    return new Promise((resolve, reject) => {
      const cancel = this.#parts.timers.after(timeoutMs, () => {
        this.#cancels.delete(cancel);
        reject(
          new WarpError("deadline_exceeded", `the bus did not take it within ${timeoutMs} ms`, {
            outcome: "unknown",
          }),
        );
      });
      this.#cancels.add(cancel);
      const end = (): void => {
        cancel();
        this.#cancels.delete(cancel);
      };
      work.then(resolve, reject).finally(end);
    });
  }

  #failed(target: BusTarget, error: unknown): void {
    const { counters, emitter } = this.#parts;
    counters.publishErrors++;
    emitter.emit("publishError", { ...target, error });
  }
}
