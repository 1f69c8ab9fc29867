import type { Background } from "../runtime/background.ts";
import type { WarpEvents } from "./types.ts";

type Listeners = { [E in keyof WarpEvents]: Set<(event: WarpEvents[E]) => void> };

/** The listeners of a node. A listener that throws never harms the operation: its error is an `error` event. */
export class Emitter {
  readonly #background: Background;
  readonly #listeners: Listeners = {
    hit: new Set(),
    miss: new Set(),
    stale: new Set(),
    set: new Set(),
    delete: new Set(),
    invalidate: new Set(),
    drop: new Set(),
    publishError: new Set(),
    error: new Set(),
  };

  constructor(background: Background) {
    this.#background = background;
  }

  /** Adds a listener; the answer removes it. */
  on<E extends keyof WarpEvents>(event: E, listener: (event: WarpEvents[E]) => void): () => void {
    // Each call has its own entry, so that one function may listen twice and each `off` takes one away.
    const entry = (data: WarpEvents[E]): void => listener(data);
    this.#listeners[event].add(entry);
    return () => void this.#listeners[event].delete(entry);
  }

  /** Whether anybody listens: asked before an event is built, so that nobody's events cost nothing. */
  has(event: keyof WarpEvents): boolean {
    return this.#listeners[event].size > 0;
  }

  emit<E extends keyof WarpEvents>(event: E, data: WarpEvents[E]): void {
    for (const listener of this.#listeners[event]) {
      try {
        listener(data);
      } catch (error) {
        // A failing error listener has nobody left to tell but the host's log.
        if (event === "error") this.#background.run(Promise.reject(error));
        else this.emit("error", { error });
      }
    }
  }

  clear(): void {
    for (const listeners of Object.values(this.#listeners)) listeners.clear();
  }
}
