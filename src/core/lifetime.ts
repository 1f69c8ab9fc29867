import { WarpError } from "../errors.ts";

/** Whether a node is open, and what must end with it. */
export class Lifetime {
  #closed = false;
  readonly #atEnd = new Set<() => void>();

  get closed(): boolean {
    return this.#closed;
  }

  /** Throws `warp_closed` after {@link end}. */
  check(): void {
    if (this.#closed) throw closedError();
  }

  /** Runs `listener` once at the end; the answer takes it back. */
  onEnd(listener: () => void): () => void {
    this.#atEnd.add(listener);
    return () => void this.#atEnd.delete(listener);
  }

  end(): void {
    this.#closed = true;
    for (const listener of [...this.#atEnd]) listener();
    this.#atEnd.clear();
  }
}

export function closedError(): WarpError {
  return new WarpError("warp_closed", "this Warp is closed");
}
