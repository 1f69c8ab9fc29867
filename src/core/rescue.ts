import type { CacheEntry } from "../cache/cache.ts";
import { isWarpError, WarpError } from "../errors.ts";
import type { RegistrationSettings } from "../protocol/registration.ts";
import { Call, tooLong } from "./call.ts";
import type { Found } from "./found.ts";
import { isStorageTrouble } from "./held-errors.ts";
import type { Need, Settled } from "./loaded.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";
import type { Refresher } from "./refresher.ts";

/** What a rescue asks of the reader. */
export interface RescueHooks {
  /** The plain way of keys that L1 could not give. `counts`: whether it counts the misses. */
  resolve(needs: readonly Need[], call: Call, counts: boolean): Promise<readonly Settled<Found>[]>;
  /** A copy that the cache has and that no change has outdated, whatever its age. */
  held(need: Need): Promise<CacheEntry | undefined>;
  /** Whether such a copy may be given marked stale. */
  isGraced(need: Need, entry: CacheEntry): boolean;
  countMiss(need: Need): void;
}

/**
 * What a read does when a load fails or takes long (rule CO5): it gives the stale copy, within its grace, and says so (CO6). Only time can
 * make a copy stale in this sense: one that the log or a call invalidated is gone.
 */
export class Rescue {
  readonly #parts: Parts;
  readonly #refresher: Refresher;
  readonly #hooks: RescueHooks;

  constructor(parts: Parts, refresher: Refresher, hooks: RescueHooks) {
    this.#parts = parts;
    this.#refresher = refresher;
    this.#hooks = hooks;
  }

  /** The answers for keys that L1 could not give, each with its own error. Throws only what concerns the caller. */
  async find(
    needs: readonly Need[],
    call: Call,
    allowStale: boolean | undefined,
  ): Promise<readonly Settled<Found>[]> {
    if (allowStale !== true && needs.every(({ settings }) => settings.extra === undefined)) {
      return await this.#plain(needs, call);
    }
    const results: (Settled<Found> | undefined)[] = needs.map(() => undefined);
    // Keys of one policy are loaded together; those without extras in one go, too.
    const groups = new Map<Policy | undefined, number[]>();
    for (const [at, need] of needs.entries()) {
      const { extra } = need.settings;
      if (allowStale === true || extra?.allowStale === true) {
        const stale = await this.stale(need);
        if (stale !== undefined) {
          this.#refresher.refresh(need);
          results[at] = stale;
          continue;
        }
      }
      const policy = extra === undefined ? undefined : need.settings;
      groups.set(policy, [...(groups.get(policy) ?? []), at]);
    }
    const work = [...groups].map(async ([policy, places]) => {
      const group = places.flatMap((at) => needs[at] ?? []);
      const settled =
        policy?.extra === undefined
          ? await this.#plain(group, call)
          : await this.#settle(group, policy.extra, call);
      for (const [i, at] of places.entries()) results[at] = settled[i];
    });
    await Promise.all(work);
    return results.map((one) => one ?? { error: new WarpError("internal", "a key was left unanswered") });
  }

  /** The stale copy of a key as an answer, if there is one to give. */
  async stale(need: Need): Promise<{ readonly value: Found } | undefined> {
    const entry = await this.#hooks.held(need);
    if (entry === undefined || !this.#hooks.isGraced(need, entry)) return undefined;
    const { counters, emitter } = this.#parts;
    const { key } = need;
    counters.stale++;
    if (emitter.has("stale")) emitter.emit("stale", { key });
    return { value: { key, entry, cache: "stale", loaded: undefined } };
  }

  /** Keys whose policies say nothing of stale copies. Where their shard is gone around, those are given all the same: nothing can prove them. */
  async #plain(group: readonly Need[], call: Call): Promise<readonly Settled<Found>[]> {
    const around = this.#parts.adapter.detour !== undefined;
    const settled = await this.#hooks.resolve(group, call, !around);
    return around ? await Promise.all(settled.map((one, i) => this.#take(group[i], one, false))) : settled;
  }

  /** Keys of one policy. Where some have no stale copy, all wait for the load as long as those do. */
  async #settle(
    group: readonly Need[],
    extra: RegistrationSettings,
    call: Call,
  ): Promise<readonly Settled<Found>[]> {
    const { graceMs, softTimeoutMs, hardTimeoutMs } = extra;
    const { background, clock } = this.#parts;
    const bounded = softTimeoutMs !== undefined || hardTimeoutMs !== undefined;
    // What may go on behind the answer runs on no caller's signal.
    const work = this.#hooks.resolve(group, bounded ? new Call(this.#parts, undefined) : call, false);
    if (bounded) background.run(work.catch(() => undefined));
    const begunAtMs = clock.now();
    let settled: readonly Settled<Found>[] | typeof tooLong = tooLong;
    try {
      if (softTimeoutMs !== undefined && (await this.haveStale(group))) {
        settled = await call.wait(work, softTimeoutMs);
        if (settled === tooLong) {
          // A change may have outdated one of them meanwhile: then it is waited for.
          const stale = await Promise.all(group.map((need) => this.stale(need)));
          const given = stale.filter((one) => one !== undefined);
          if (given.length === group.length) return given;
        }
      }
      if (settled === tooLong) {
        settled =
          hardTimeoutMs === undefined
            ? await call.wait(work)
            : await call.wait(work, Math.max(0, begunAtMs + hardTimeoutMs - clock.now()));
      }
    } catch (error) {
      if (graceMs === undefined || !isWarpError(error, "deadline_exceeded")) throw error;
      settled = group.map(() => ({ error }));
    }
    if (settled === tooLong) {
      const error = new WarpError("storage_timeout", `no answer within hardTimeoutMs, ${hardTimeoutMs} ms`);
      settled = group.map(() => ({ error }));
    }
    return await Promise.all(settled.map((one, i) => this.#take(group[i], one, graceMs !== undefined)));
  }

  async #take(need: Need | undefined, one: Settled<Found>, rescues: boolean): Promise<Settled<Found>> {
    if (need === undefined) return one;
    if (!("value" in one) && (rescues || this.#isAround(need)) && isPassing(one.error)) {
      const stale = await this.stale(need);
      if (stale !== undefined) return stale;
    }
    const cache = "value" in one ? one.value.cache : undefined;
    if (cache !== "hit" && cache !== "stale") this.#hooks.countMiss(need);
    return one;
  }

  #isAround({ key, settings }: Need): boolean {
    return settings.mode !== "strong" && this.#parts.adapter.detour?.isTaken(key) === true;
  }

  /** Whether all of these have a stale copy to give. */
  async haveStale(group: readonly Need[]): Promise<boolean> {
    for (const need of group) {
      const entry = await this.#hooks.held(need);
      if (entry === undefined || !this.#hooks.isGraced(need, entry)) return false;
    }
    return true;
  }
}

/** Whether an error is the storage's, so that an older copy is better than nothing. */
function isPassing(error: unknown): boolean {
  return isStorageTrouble(error) || isWarpError(error, "deadline_exceeded");
}
