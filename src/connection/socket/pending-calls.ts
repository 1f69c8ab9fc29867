import { WarpError } from "../../errors.ts";

/** Sees an answer in the turn of its arrival, between the frames before and after it, and gives it on. */
export type Received = (reply: object) => object;

interface Pending {
  readonly received: Received;
  readonly resolve: (reply: object) => void;
  readonly reject: (error: WarpError) => void;
}

/** Calls of one session that have no answer yet. */
export class PendingCalls {
  readonly #pending = new Map<number, Pending>();

  get size(): number {
    return this.#pending.size;
  }

  /** Waits for the answer to call `id`. */
  add(id: number, received: Received): Promise<object> {
    return new Promise((resolve, reject) => this.#pending.set(id, { received, resolve, reject }));
  }

  /** An answer to what nobody asked, or no longer, is none. */
  answered(id: number, reply: unknown): void {
    const pending = this.#take(id);
    if (pending === undefined) return;
    if (typeof reply === "object" && reply !== null) pending.resolve(pending.received(reply));
    else pending.reject(new WarpError("internal", "a shard's answer is no object", { outcome: "unknown" }));
  }

  failed(id: number, error: WarpError): void {
    this.#take(id)?.reject(error);
  }

  /** The session is over: none of them will be answered. */
  end(error: WarpError): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of all) reject(error);
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}
