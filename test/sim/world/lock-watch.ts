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

/** The grants that an answer or a frame tells of. Refusals name fences, too, also such as nobody was given. */
const grantsIn = /"(?:state":"held|state":"offered|t":"lost)"(?:,"(?:ticket|name)":"[^"]*")?,"fence":(\d+)/g;

/** Looks at what a shard is asked and answers about locks, at its own end of all calls. */
export class LockWatch {
  readonly polls: WatchedPoll[] = [];
  readonly fences: WatchedFence[] = [];
  /** Sessions by their ids, and when each was known to have ended. */
  readonly sessions = new Map<string, { closedMs: number }>();
  readonly #kernel: Kernel;
  readonly #durable: () => number;
  readonly #told = new Set<number>();
  readonly #sessionOf = new WeakMap<object, string>();
  readonly #open = new WeakMap<object, Map<number, WatchedPoll | undefined>>();

  constructor(kernel: Kernel, durable: () => number) {
    this.#kernel = kernel;
    this.#durable = durable;
  }

  /** A frame has arrived. */
  asked(wire: object, data: string, instance: { endedMs: number }): void {
    if (!data.startsWith('{"t":"call"') || !/"m":"(lock|waitLock)"/.test(data)) return;
    const { id, m, a } = JSON.parse(data) as { id: number; m: string; a: readonly unknown[] };
    const open = this.#open.get(wire) ?? new Map<number, WatchedPoll | undefined>();
    this.#open.set(wire, open);
    open.set(id, m === "waitLock" ? this.#polled(a[0], instance) : undefined);
  }

  /** The end of a socket is known. */
  closed(wire: object): void {
    // Nobody is there to be told.
    for (const poll of this.#open.get(wire)?.values() ?? [])
      if (poll !== undefined) poll.toMs = Math.min(poll.toMs, this.#kernel.nowMs);
    const session = this.sessions.get(this.#sessionOf.get(wire) ?? "");
    if (session !== undefined) session.closedMs = Math.min(session.closedMs, this.#kernel.nowMs);
  }

  /** A frame is to leave. */
  sent(wire: object, data: string): void {
    if (data.startsWith('{"t":"welcome"')) {
      const { session } = JSON.parse(data) as { readonly session: string };
      this.#sessionOf.set(wire, session);
      this.sessions.set(session, { closedMs: Number.POSITIVE_INFINITY });
    }
    if (data.startsWith('{"t":"lost"')) this.#said(data);
    const open = this.#open.get(wire);
    if (open === undefined || open.size === 0) return;
    const { id } = JSON.parse(data) as { readonly id?: number };
    // Only of calls about locks: what another shard says of a fence it has by hearsay.
    if (id === undefined || !open.has(id)) return;
    this.#said(data);
    const poll = open.get(id);
    if (poll !== undefined) poll.toMs = this.#kernel.nowMs;
    open.delete(id);
  }

  /** A call has arrived; the answer is to be called with its answer. */
  called(method: string, args: readonly unknown[], instance: { endedMs: number }): (value: unknown) => void {
    if (method !== "lock" && method !== "waitLock") return () => {};
    const poll = method === "waitLock" ? this.#polled(args[0], instance) : undefined;
    return (value) => {
      if (poll !== undefined) poll.toMs = this.#kernel.nowMs;
      this.#said(JSON.stringify(value));
    };
  }

  #polled(request: unknown, instance: { endedMs: number }): WatchedPoll {
    const { ticket } = request as { readonly ticket: string };
    const fromMs = this.#kernel.nowMs;
    const poll: WatchedPoll = { ticket, fromMs, toMs: Number.POSITIVE_INFINITY, instance };
    this.polls.push(poll);
    return poll;
  }

  /** Only the first time of each fence matters (rule LK3). */
  #said(text: string): void {
    for (const [, digits] of text.matchAll(grantsIn)) {
      const fence = Number(digits);
      if (fence === 0 || this.#told.has(fence)) continue;
      this.#told.add(fence);
      this.fences.push({ fence, durable: this.#durable(), ms: this.#kernel.nowMs });
    }
  }
}
