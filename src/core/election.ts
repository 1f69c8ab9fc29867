import { isWarpError } from "../errors.ts";
import { decodedValue, Leadership } from "../locking/leadership.ts";
import { resolveLock } from "../locking/lock-options.ts";
import { type ElectionStep, observe } from "../locking/observation.ts";
import type { Codec } from "../runtime/codec.ts";
import { maxLockWaitMs } from "../runtime/coordination-limits.ts";
import { callOptions } from "./call.ts";
import type { LockDirectory } from "./lock-directory.ts";
import type { LockHandles } from "./lock-handles.ts";
import type { CampaignOptions, Leader } from "./lock-types.ts";
import type { CallOptions } from "./types.ts";

/**
 * An election: many campaign, one leads, and all can see what the leader stands for. A leader that dies leads no more when its time to live has passed, and the next who
 * campaigns is elected in its place, in order of arrival (rule LK15).
 */
export class Election<T = unknown> {
  readonly name: string;
  readonly #handles: LockHandles;
  readonly #directory: LockDirectory;
  readonly #codec: Codec<T>;

  /** Use `warp.election`. */
  constructor(name: string, handles: LockHandles, directory: LockDirectory, codec: Codec<T>) {
    this.name = name;
    this.#handles = handles;
    this.#directory = directory;
    this.#codec = codec;
  }

  /**
   * Campaigns until it is elected, the signal fires (`aborted`), or `waitMs` is over (`lock_held`). Others see `value` while it leads. Throws `wrong_kind` where the name is in
   * use as a lock.
   */
  async campaign(value: T, options: CampaignOptions = {}): Promise<Leadership<T>> {
    const payload = this.#codec.encode(value);
    const { waitMs } = options;
    for (;;) {
      const asked = { ...options, waitMs: waitMs ?? maxLockWaitMs, value: payload };
      try {
        const holding = await this.#handles.hold(this.name, resolveLock(asked, "election"));
        return new Leadership(holding, this.#codec);
      } catch (error) {
        // Without a bound of its own it waits beyond the longest wait that can be asked for.
        if (waitMs !== undefined || !isWarpError(error, "lock_held")) throw error;
      }
    }
  }

  /** Who leads now; undefined: nobody. */
  async leader(options?: CallOptions): Promise<Leader<T> | undefined> {
    const { holders } = await this.#directory.info(this.name, callOptions(options));
    const leader = holders.find(({ kind, offered }) => kind === "election" && offered !== true);
    if (leader === undefined) return undefined;
    const { owner, fence, remainingMs, value } = leader;
    return { owner, fence, remainingMs, value: decodedValue(value, this.#codec) };
  }

  /**
   * The steps of this election in order: who was elected, what leaders proclaimed, when there was none any more. Begins with the present leader, or after `cursor`. Goes on after
   * troubles of the way; ends with the signal.
   */
  observe(
    options: { readonly cursor?: string; readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<ElectionStep<T>, void, void> {
    const { timers, random } = this.#handles.host();
    const host = {
      timers,
      random,
      observe: (...args: Parameters<LockDirectory["driver"]["observe"]>) =>
        this.#directory.driver.observe(...args),
    };
    return observe(host, this.name, this.#codec, options);
  }
}
