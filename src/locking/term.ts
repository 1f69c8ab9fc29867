import type { WarpError } from "../errors.ts";
import { clockRateMargin } from "../runtime/limits.ts";
import type { TermHost } from "./handle-host.ts";

/** Why a handle counts on its grant no more. `validity`: nobody said so, but it can't be known to last. `closed`: the handle's node was closed. */
export type LossReason = "expired" | "forced" | "lost" | "validity" | "closed";

/** An answer that grants time: when its request had left (elapsed clock), and what was left at the authority when it answered. */
export interface Granting {
  readonly sentAtMs: number;
  readonly remainingMs: number;
}

/**
 * How long a holder may count on what it was granted (rule LK7). The authority counts from its commit; the holder from the moment at which the request left, which
 * is earlier, and less the margin by which two clocks may differ (A1): the holder stops first, whether or not anybody answers.
 */
export class Term {
  readonly #host: TermHost;
  readonly #lostError: (reason: LossReason) => WarpError;
  readonly #controller = new AbortController();
  #validUntilMs: number;
  #cancelEnd: (() => void) | undefined;
  #cancelRenewal: (() => void) | undefined;
  #over = false;
  readonly #atEnd = new Set<() => void>();

  /** `granted`: see {@link extend}. `lostError` makes the reason of the signal. */
  constructor(host: TermHost, granted: Granting, lostError: (reason: LossReason) => WarpError) {
    this.#host = host;
    this.#lostError = lostError;
    this.#validUntilMs = validityOf(granted);
    this.#arm();
  }

  /** By the elapsed clock, which begins as the wall clock. */
  get validUntilMs(): number {
    this.#look();
    return this.#validUntilMs;
  }

  /** 0 where it is over, or was given up. */
  remainingMs(): number {
    this.#look();
    return this.#over ? 0 : Math.max(0, this.#validUntilMs - this.#host.elapsed.now());
  }

  /** Fires once, when it is lost; not when it is given up. Looks at the clock first: a timer may be late. */
  get signal(): AbortSignal {
    this.#look();
    return this.#controller.signal;
  }

  /** Lost, or given up. */
  get isOver(): boolean {
    this.#look();
    return this.#over;
  }

  /** An answer gives more time. It may come late: what is over stays over. */
  extend(granting: Granting): void {
    this.#look();
    if (this.#over) return;
    this.#validUntilMs = Math.max(this.#validUntilMs, validityOf(granting));
    this.#arm();
  }

  /** Calls `renew` at `atMs`, unless it is over by then. One at a time: the last word counts. */
  renewAt(atMs: number, renew: () => void): void {
    this.#cancelRenewal?.();
    if (this.isOver) return;
    this.#cancelRenewal = this.#host.timers.after(Math.max(0, atMs - this.#host.elapsed.now()), () => {
      // After a pause both timers are late: it must not be renewed then, since the holder may not count on it any more.
      if (!this.isOver) renew();
    });
  }

  lose(reason: LossReason): void {
    if (this.#over) return;
    this.end();
    this.#controller.abort(this.#lostError(reason));
  }

  /** Given up by its holder: no signal, nothing left behind. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelEnd?.();
    this.#cancelRenewal?.();
    for (const listener of [...this.#atEnd]) listener();
    this.#atEnd.clear();
  }

  /** Runs `listener` once when it is lost or given up, before the signal. */
  onEnd(listener: () => void): void {
    if (this.#over) listener();
    else this.#atEnd.add(listener);
  }

  #look(): void {
    if (!this.#over && this.#host.elapsed.now() >= this.#validUntilMs) this.lose("validity");
  }

  #arm(): void {
    this.#cancelEnd?.();
    const leftMs = this.#validUntilMs - this.#host.elapsed.now();
    if (leftMs <= 0) {
      this.lose("validity");
      return;
    }
    // A host's timer may be early by its grain.
    this.#cancelEnd = this.#host.timers.after(leftMs, () => this.#arm());
  }
}

/** Until when a holder may count on what it was granted, by its elapsed clock. */
export function validityOf({ sentAtMs, remainingMs }: Granting): number {
  return sentAtMs + remainingMs * (1 - clockRateMargin);
}
