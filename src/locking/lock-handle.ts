import { isWarpError, WarpError } from "../errors.ts";
import type { FenceGuard } from "../protocol/operation.ts";
import type { HandleLimits, Holding } from "./holding.ts";

/** Options of a renewal. */
export interface RenewOptions extends HandleLimits {
  /** Another time to live from now on, 100 ms to 24 h; a shorter one takes nothing away from what is left. Default: the present one. */
  readonly ttlMs?: number;
}

/**
 * A lock that is held. `await using` gives it back at the end of the block.
 *
 * What it says of itself is true under assumptions A1 and A2 (clocks' rates; a successor's clock) and needs nobody's answer. It can't keep a process from going on that
 * was paused past its time: writes that must not happen then are guarded by its fence ({@link guard}).
 */
export class Lock implements AsyncDisposable {
  readonly #holding: Holding;

  constructor(holding: Holding) {
    this.#holding = holding;
  }

  get name(): string {
    return this.#holding.name;
  }

  get owner(): string {
    return this.#holding.owner;
  }

  /** Higher than the fence of every earlier grant of its shard. */
  get fence(): number {
    return this.#holding.fence;
  }

  /** For writes that are to happen only under this lock: `warp.set(key, value, { guard: lock.guard })`. */
  get guard(): FenceGuard {
    return { lock: this.name, fence: this.fence };
  }

  /** Until when it may be counted on unless it is renewed, in ms by this host's elapsed clock (which begins as its Unix time). */
  get validUntilMs(): number {
    return this.#holding.term.validUntilMs;
  }

  /** 0: it is lost, or was released. */
  remainingMs(): number {
    return this.#holding.term.remainingMs();
  }

  /**
   * Fires once, when the lock is lost: also without a network, and at this look if its time has passed unseen. Its reason is a WarpError `lock_lost` whose `details.reason` is `expired`,
   * `forced` or `lost` (the authority said so), `validity` (it could not be renewed in time) or `closed` (this node was closed). It doesn't fire for a release.
   */
  get signal(): AbortSignal {
    return this.#holding.term.signal;
  }

  /** Its time begins anew. Throws `lock_lost`; an error of the way leaves it as it was. */
  async renew(options: RenewOptions = {}): Promise<void> {
    await this.#holding.renew(options.ttlMs, options);
  }

  /** Asks the authority, whose commit proves it, whether it is held at this moment (rule LK3). Throws `lock_lost`. */
  async confirm(options: HandleLimits = {}): Promise<void> {
    await this.#holding.confirm(options);
  }

  /**
   * Gives it back. True: it was held until then; false: it had been lost. Rejects where the authority can't be reached: then it ends by its time, and a further call
   * tries again.
   */
  async release(options: HandleLimits = {}): Promise<boolean> {
    return await this.#holding.release(options);
  }

  /** {@link release}; trouble goes to the node's `error` event. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#holding.dispose();
  }
}

/** A handle whose loss the work under it must hear of. */
interface Held extends AsyncDisposable {
  readonly name: string;
  readonly fence: number;
  readonly signal: AbortSignal;
  release(): Promise<boolean>;
}

/**
 * Runs `work` under a lock and gives it back, whatever comes of it. Where the lock was lost before the work ended, that is `lock_lost` with the outcome `unknown`: it was
 * done, but not under the lock to its end. `onError` takes the trouble of a release that was not answered.
 */
export async function whileHeld<H extends Held, T>(
  lock: H,
  work: (lock: H) => T | Promise<T>,
  onError: (error: unknown) => void,
): Promise<T> {
  let result: T;
  try {
    result = await work(lock);
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  const { reason } = lock.signal;
  const wasHeld = await lock.release().catch((error: unknown) => {
    onError(error);
    return true;
  });
  if (!isWarpError(reason) && wasHeld) return result;
  throw new WarpError(
    "lock_lost",
    `the lock ${JSON.stringify(lock.name)} was lost before its work had ended`,
    {
      outcome: "unknown",
      cause: reason,
      details: { fence: lock.fence, reason: isWarpError(reason) ? String(reason.details?.reason) : "lost" },
    },
  );
}
