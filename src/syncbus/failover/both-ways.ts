import { WarpError } from "../../errors.ts";
import type { Timers } from "../../runtime/clock.ts";
import { SeenIds } from "../seen-ids.ts";
import type { BusSubscription } from "../syncbus.ts";
import { Leg, type LegParts } from "./leg.ts";

/** What {@link BothWays} works with; `E` is what it hears. */
export interface BothWaysParts<E extends { readonly id: string }>
  extends Omit<LegParts, "join" | "joinedLate"> {
  readonly timers: Timers;
  /** Subscribes at the first bus, and at the second. */
  readonly joins: readonly ((take: (events: readonly E[]) => Promise<void>) => Promise<BusSubscription>)[];
  readonly listener: (events: readonly E[]) => void | Promise<void>;
  /** The event of everything, for what was not heard. */
  readonly missed: () => E;
  readonly signal: AbortSignal | undefined;
  /** How long a bus may take to be joined before the subscription begins without it, in ms. */
  readonly patienceMs: number;
  readonly counted: (fresh: readonly E[], duplicates: number) => void;
  readonly ended: () => void;
}

/** One subscription at two buses: what comes over both is heard once, one burst at a time. */
export class BothWays<E extends { readonly id: string }> implements BusSubscription {
  readonly #parts: BothWaysParts<E>;
  readonly #legs: readonly Leg[];
  readonly #seen = new SeenIds();
  readonly #onAbort = (): void => void this.end();
  /** Settles with the end, also while it has not begun. */
  readonly #given: Promise<void>;
  #giveUp: () => void = () => {};
  #turn: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(parts: BothWaysParts<E>) {
    this.#parts = parts;
    this.#given = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
    parts.signal?.addEventListener("abort", this.#onAbort, { once: true });
    this.#legs = parts.joins.map(
      (join) =>
        new Leg({
          ...parts,
          join: () => join((events) => this.#take(events)),
          joinedLate: () => this.miss(),
        }),
    );
  }

  /** Settles once both buses are joined, or one is and the other takes too long. Throws where none can be joined. */
  async begun(): Promise<void> {
    const { timers, patienceMs, signal } = this.#parts;
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = timers.after(patienceMs, resolve, { awaited: true });
    });
    const all = Promise.all(this.#legs.map((leg) => leg.first));
    await Promise.race([all, late, this.#given]);
    cancel();
    // With none yet there is nothing to go on with.
    if (!this.#legs.some((leg) => leg.isJoined)) {
      await Promise.race([...this.#legs.map(joined), this.#given]);
    }
    if (this.#isOver) {
      throw signal?.aborted === true
        ? new WarpError("aborted", "the caller gave up", { cause: signal.reason })
        : new WarpError("warp_closed", "this bus is closed");
    }
    for (const leg of this.#legs) leg.goOn();
    if (this.#legs.some((leg) => leg.isJoined)) return;
    const [failure] = await all;
    await this.end();
    throw failure?.error;
  }

  /** Something may have been told that was not heard. */
  miss(): void {
    const { missed, failed } = this.#parts;
    this.#take([missed()]).catch(failed);
  }

  async end(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#giveUp();
    this.#parts.signal?.removeEventListener("abort", this.#onAbort);
    this.#parts.ended();
    await Promise.all(this.#legs.map((leg) => leg.end()));
  }

  async #take(events: readonly E[]): Promise<void> {
    const before = this.#turn;
    let over = (): void => {};
    this.#turn = new Promise((resolve) => {
      over = resolve;
    });
    await before;
    try {
      if (this.#isOver) return;
      const fresh = events.filter(({ id }) => this.#seen.add(id));
      this.#parts.counted(fresh, events.length - fresh.length);
      if (fresh.length === 0) return;
      try {
        await this.#parts.listener(fresh);
      } catch (error) {
        // Else the same message over the other way would count as acted on.
        for (const { id } of fresh) this.#seen.forget(id);
        throw error;
      }
    } finally {
      over();
    }
  }
}

/** Settles when the leg is joined; where it can't be, when all can't. */
async function joined(leg: Leg, _at: number, legs: readonly Leg[]): Promise<void> {
  if ((await leg.first) === undefined) return;
  await Promise.all(legs.map((one) => one.first));
}
