import type { Channel } from "../../src/syncbus/broadcast-channel/broadcast-channel-bus.ts";

type Heard = (event: { readonly data?: unknown }) => void;

/** Broadcast channels of one name in one process: what is posted arrives at all others, after the poster's turn. */
export class FakeChannels {
  readonly #open = new Set<Map<string, Heard[]>>();
  #last: (() => void) | undefined;

  open(): Channel {
    const listeners = new Map<string, Heard[]>();
    this.#open.add(listeners);
    return {
      postMessage: (message) => {
        if (!this.#open.has(listeners)) throw new Error("InvalidStateError");
        const data = structuredClone(message);
        this.#last = () => this.deliver("message", data, listeners);
        void Promise.resolve().then(this.#last);
      },
      addEventListener: (type, listener) => {
        listeners.set(type, [...(listeners.get(type) ?? []), listener]);
      },
      close: () => void this.#open.delete(listeners),
    };
  }

  deliver(type: "message" | "messageerror", data: unknown, from?: Map<string, Heard[]>): void {
    for (const listeners of this.#open) {
      if (listeners !== from) for (const listener of listeners.get(type) ?? []) listener({ data });
    }
  }

  /** The last message arrives once more. */
  again(): void {
    this.#last?.();
  }
}
