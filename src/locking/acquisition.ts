import { isWarpError, WarpError } from "../errors.ts";
import type { LockCommand, LockVerdict } from "../protocol/lock.ts";
import { maxLockPollMs } from "../runtime/coordination-limits.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import { isPassing, sendUntil } from "./handle-attempt.ts";
import type { HandleHost } from "./handle-host.ts";
import { aborted, hasGivenUp, pause, retryWaitMs } from "./patience.ts";
import { type Granting, validityOf } from "./term.ts";

/** What is asked for, without op id and wait. */
export type Wanted = Omit<Extract<LockCommand, { kind: "acquire" }>, "kind" | "opId" | "waitMs">;

/** How a caller waits. */
export interface AcquireLimits {
  /** Stand in the queue for so long, 0 to 3,600,000 ms. Default 0. */
  readonly waitMs?: number | undefined;
  /** How long the authority may be silent, 1 to 120,000 ms. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A grant as its holder learned of it. */
export interface Grant extends Granting {
  readonly fence: number;
}

/** The fence of no grant. */
const noFence = Number.MAX_SAFE_INTEGER;

type Held = Extract<LockVerdict, { state: "held" }>;

/** How long it is tried, behind the caller's back, to give back what nobody waits for any more, in ms: by then the queue forgets a silent waiter. */
const undoMs = 60_000;
/** After the end of a wait the authority itself says so: how much longer than the wait its last poll may take, in ms. */
const lastPollMs = 2_000;

/**
 * Acquires one lock: asks, stands in the queue under its ticket for as long as the caller waits (whatever becomes of connections meanwhile: rule LK8), and claims what
 * is offered. Whoever gives up leaves nothing behind that can be told to the authority (rule LK10).
 */
export class Acquisition {
  readonly #host: HandleHost;
  readonly #wanted: Wanted;
  readonly #signal: AbortSignal | undefined;
  readonly #timeoutMs: number;
  readonly #waitUntilMs: number;
  /** The ticket of a place that, for all that is known, is still there. */
  #place: string | undefined;

  constructor(
    host: HandleHost,
    wanted: Wanted,
    { waitMs = 0, timeoutMs = defaultTimeoutMs, signal }: AcquireLimits,
  ) {
    this.#host = host;
    this.#wanted = wanted;
    this.#signal = signal;
    this.#timeoutMs = timeoutMs;
    this.#waitUntilMs = host.elapsed.now() + waitMs;
  }

  /** Throws `lock_held` where it did not become free in time, `aborted`, `wrong_kind`, `overloaded` and what else the authority says. */
  async run(): Promise<Grant> {
    for (;;) {
      // A ticket that is not known any more stood for nothing: another place is asked for.
      const grant = await this.#once();
      if (grant !== undefined) return grant;
    }
  }

  /** Undefined: the place was lost. */
  async #once(): Promise<Grant | undefined> {
    const { elapsed } = this.#host;
    const waitMs = Math.ceil(this.#waitUntilMs - elapsed.now());
    const command = {
      ...this.#wanted,
      kind: "acquire",
      opId: this.#host.opId(),
      ...(waitMs > 0 ? { waitMs } : {}),
    } as const;
    const { verdict, sentAtMs } = await this.#send(command).catch((error: unknown) => {
      if (isUnknown(error)) this.#undo(command);
      throw error;
    });
    if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
    if (verdict.state === "held") return await this.#fresh(verdict, sentAtMs);
    if (verdict.state === "ended") throw new WarpError("internal", "an acquisition was answered with an end");
    const { ticket } = verdict;
    this.#place = ticket;
    try {
      return await this.#stand(ticket, verdict.state === "offered");
    } catch (error) {
      if (this.#place === ticket) this.#leave(ticket);
      throw error;
    }
  }

  /** Waits in the queue. Throws where the caller is to leave it. */
  async #stand(ticket: string, isOffered: boolean): Promise<Grant | undefined> {
    const { elapsed, timers, random } = this.#host;
    if (isOffered) {
      const claimed = await this.#claim(ticket);
      if (claimed !== "missed") return claimed;
    }
    let trouble: unknown;
    for (let failures = 0; ; ) {
      if (hasGivenUp(this.#signal)) throw aborted(this.#signal);
      const restMs = this.#waitUntilMs - elapsed.now();
      if (restMs <= 0) throw trouble ?? new WarpError("lock_held", "the lock did not become free in time");
      const sentAtMs = elapsed.now();
      let verdict: LockVerdict;
      try {
        verdict = await this.#poll(ticket, restMs);
      } catch (error) {
        if (hasGivenUp(this.#signal)) throw aborted(this.#signal);
        if (!isPassing(error)) throw error;
        trouble = error;
        // The place is kept for a while: it is asked about again under the same ticket.
        await pause(timers, Math.min(retryWaitMs(failures++, random), restMs), this.#signal);
        continue;
      }
      trouble = undefined;
      failures = 0;
      if (verdict.outcome === "fail") {
        this.#place = undefined;
        if (verdict.error.code === "ticket_not_found") return undefined;
        throw WarpError.fromData(verdict.error);
      }
      if (verdict.state === "held") return await this.#fresh(verdict, sentAtMs);
      if (verdict.state !== "offered") continue;
      const claimed = await this.#claim(ticket);
      if (claimed !== "missed") return claimed;
    }
  }

  async #poll(ticket: string, restMs: number): Promise<LockVerdict> {
    const { name, owner } = this.#wanted;
    const waitMs = Math.floor(Math.min(restMs, maxLockPollMs));
    const patienceMs = restMs > maxLockPollMs ? this.#timeoutMs : Math.min(this.#timeoutMs, lastPollMs);
    return await this.#host.calls.wait(
      { name, owner, ticket, waitMs },
      {
        timeoutMs: waitMs + patienceMs,
        ...(this.#signal === undefined ? {} : { signal: this.#signal }),
      },
    );
  }

  /** `missed`: it was offered to the next, the place is still there. */
  async #claim(ticket: string): Promise<Grant | "missed" | undefined> {
    const { name, owner } = this.#wanted;
    const opId = this.#host.opId();
    const { verdict, sentAtMs } = await this.#send({ kind: "claim", opId, name, owner, ticket });
    if (verdict.outcome === "fail") {
      if (verdict.error.code === "lock_lost" || verdict.error.code === "lock_waiting") return "missed";
      if (verdict.error.code === "ticket_not_found") return undefined;
      throw WarpError.fromData(verdict.error);
    }
    return verdict.state === "held" ? await this.#fresh(verdict, sentAtMs) : "missed";
  }

  /** A grant whose answer came so late that it would be renewed at once, or had ended by then, is renewed before anybody counts on it. */
  async #fresh({ fence, ttlMs, remainingMs }: Held, sentAtMs: number): Promise<Grant | undefined> {
    const { elapsed } = this.#host;
    const grant = { fence, sentAtMs, remainingMs };
    if (elapsed.now() - sentAtMs < ttlMs / 3 && remainingMs > 0) return grant;
    const { name, owner } = this.#wanted;
    const command = { kind: "renew", opId: this.#host.opId(), name, owner, fence } as const;
    const renewed = await this.#send(command).catch((error: unknown) => {
      this.#release(fence);
      throw error;
    });
    const { verdict } = renewed;
    if (verdict.outcome === "ok" && verdict.state === "held") {
      const again = { fence, sentAtMs: renewed.sentAtMs, remainingMs: verdict.remainingMs };
      if (validityOf(again) > elapsed.now()) return again;
      this.#release(fence);
    } else if (verdict.outcome === "ok" || verdict.error.code !== "lock_lost") {
      this.#release(fence);
      throw verdict.outcome === "fail"
        ? WarpError.fromData(verdict.error)
        : new WarpError("internal", "a renewal was answered with something else");
    }
    // It is over, or was answered too late again: ask anew, if there is time.
    if (elapsed.now() < this.#waitUntilMs) return undefined;
    throw new WarpError("lock_lost", "the lock was over before its grant could be known", {
      details: { reason: "validity", fence },
    });
  }

  #send(command: LockCommand) {
    return sendUntil(this.#host, command, {
      untilMs: this.#host.elapsed.now() + this.#timeoutMs,
      signal: this.#signal,
    });
  }

  /**
   * The caller is gone, and whether it was granted is not known. A command that can't do anything takes its op id: if that was still free, a late copy of the acquisition is refused from now
   * on; else it has been carried out, and its repeat only tells how, so that what it has is given back. To repeat it at once could be what acquires it.
   */
  #undo(command: Extract<LockCommand, { kind: "acquire" }>): void {
    const { opId, name, owner } = command;
    this.#behind(async (untilMs) => {
      const seal = { kind: "release", opId, name, owner, fence: noFence } as const;
      const { verdict: sealed } = await sendUntil(this.#host, seal, { untilMs });
      if (sealed.outcome === "ok" || sealed.error.code !== "op_id_reused") return;
      const { verdict } = await sendUntil(this.#host, command, { untilMs });
      if (verdict.outcome === "fail") return;
      if (verdict.state === "held") this.#release(verdict.fence);
      else if (verdict.state !== "ended") this.#leave(verdict.ticket);
    });
  }

  /** Leaves the queue, and gives back what was offered or claimed. */
  #leave(ticket: string): void {
    const { name, owner } = this.#wanted;
    const command = { kind: "cancel", opId: this.#host.opId(), name, owner, ticket } as const;
    this.#behind((untilMs) => sendUntil(this.#host, command, { untilMs }));
  }

  /** Gives back what was granted, once: to cancel its place, too, would take a second time from a re-entrant owner. */
  #release(fence: number): void {
    this.#place = undefined;
    const { name, owner } = this.#wanted;
    const command = { kind: "release", opId: this.#host.opId(), name, owner, fence } as const;
    this.#behind((untilMs) => sendUntil(this.#host, command, { untilMs }));
  }

  #behind(work: (untilMs: number) => Promise<unknown>): void {
    const { background, elapsed, onError } = this.#host;
    // Where it can't be told either, places and grants end by their times.
    const done = work(elapsed.now() + undoMs).catch((error: unknown) => {
      // Of a closed node nothing can be told any more.
      if (!isWarpError(error, "warp_closed")) onError(error);
    });
    background.run(done);
  }
}

function isUnknown(error: unknown): boolean {
  return isWarpError(error) && error.outcome === "unknown";
}
