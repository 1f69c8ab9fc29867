import type { Kernel } from "./kernel.ts";

/** One poll of a place in the queue, as a shard's instance sees it. */
export interface WatchedPoll {
  readonly ticket: string;
  readonly fromMs: number;
  /** When the instance gave its answer; infinite: it did not. */
  toMs: number;
  /** When the instance ended. */
  readonly instance: { endedMs: number };
}

/** A fence that a shard spoke of, and how many transactions were durable then. */
export interface WatchedFence {
  readonly fence: number;
  readonly durable: number;
  readonly ms: number;
}

/** Looks at what a shard is asked and answers about locks, at its own end of all calls. */
export class LockWatch {
  readonly polls: WatchedPoll[] = [];
  readonly fences: WatchedFence[] = [];
  readonly #kernel: Kernel;
  readonly #durable: () => number;
  readonly #told = new Set<number>();

  constructor(kernel: Kernel, durable: () => number) {
    this.#kernel = kernel;
    this.#durable = durable;
  }

  /** A poll has arrived; the answer is to be called when it is answered. */
  polled(ticket: string, instance: { endedMs: number }): () => void {
    const poll: WatchedPoll = {
      ticket,
      fromMs: this.#kernel.nowMs,
      toMs: Number.POSITIVE_INFINITY,
      instance,
    };
    this.polls.push(poll);
    return () => {
      poll.toMs = this.#kernel.nowMs;
    };
  }

  /** Something leaves that names fences (rule LK3): only the first time of each matters. */
  said(text: string): void {
    for (const [, digits] of text.matchAll(/"fence":(\d+)/g)) {
      const fence = Number(digits);
      if (fence === 0 || this.#told.has(fence)) continue;
      this.#told.add(fence);
      this.fences.push({ fence, durable: this.#durable(), ms: this.#kernel.nowMs });
    }
  }
}
