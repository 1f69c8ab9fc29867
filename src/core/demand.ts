import type { RegistrationSettings } from "../protocol/registration.ts";

/** Parts that a sliding window is counted in: it is exact to a sixteenth. */
const parts = 16;

/** What a node remembers of the demand for one key. */
interface Demand {
  ttlMs: number;
  lastAtMs: number;
  /** From the access before the last to the last. */
  gapMs: number;
  /** Reads and writes since it is remembered. */
  accesses: number;
  hot: boolean | undefined;
  readonly window: Uint32Array | undefined;
  /** The newest part of the window: time divided by a part's length. */
  part: number;
}

/**
 * How much each key is asked for, as far as policies want to know (`adaptive`, `frequency`), and the TTL that follows from it. Bounded: the
 * key that was remembered first and not asked for since is forgotten first.
 */
export class DemandBook {
  readonly #max: number;
  readonly #keys = new Map<string, Demand>();
  /** Times that a key's TTL was decided anew. */
  adjustments = 0;
  hotKeys = 0;

  constructor(max = 10_000) {
    this.#max = max;
  }

  /** Whether a policy's TTL follows demand. */
  static follows(policy: RegistrationSettings): boolean {
    return policy.adaptive !== undefined || policy.frequency !== undefined;
  }

  /** `key` was read or written. */
  access(key: string, policy: RegistrationSettings, nowMs: number): void {
    const known = this.#keys.get(key);
    const demand = known ?? this.#begin(key, policy, nowMs);
    demand.gapMs = known === undefined ? Number.POSITIVE_INFINITY : nowMs - demand.lastAtMs;
    demand.lastAtMs = nowMs;
    demand.accesses++;
    const { adaptive, frequency } = policy;
    if (adaptive?.kind === "window") {
      const hot = countWindow(demand, adaptive.windowMs, nowMs) >= adaptive.threshold;
      if (hot !== demand.hot) {
        this.adjustments++;
        this.hotKeys += Number(hot) - Number(demand.hot ?? false);
        demand.hot = hot;
      }
      demand.ttlMs = hot ? adaptive.hotTtlMs : adaptive.coldTtlMs;
    } else if (frequency !== undefined && known !== undefined) {
      const { withinMs, incrementMs, decrementMs, minTtlMs, maxTtlMs } = frequency;
      const quick = demand.gapMs <= withinMs;
      this.#adjust(
        demand,
        quick
          ? Math.min(demand.ttlMs + incrementMs, maxTtlMs)
          : Math.max(demand.ttlMs - decrementMs, minTtlMs),
      );
    }
  }

  /** `key` is loaded again: a multiplicative TTL grows, or shrinks where nobody had asked for longer than it. */
  reload(key: string, policy: RegistrationSettings): void {
    const demand = this.#keys.get(key);
    if (demand === undefined || policy.adaptive?.kind !== "multiplicative") return;
    // The first load follows no demand yet.
    if (demand.gapMs === Number.POSITIVE_INFINITY) return;
    const { factor, minTtlMs, maxTtlMs } = policy.adaptive;
    const idle = demand.gapMs > demand.ttlMs;
    this.#adjust(
      demand,
      Math.round(
        idle ? Math.max(demand.ttlMs / factor, minTtlMs) : Math.min(demand.ttlMs * factor, maxTtlMs),
      ),
    );
  }

  /** The TTL of `key` as its demand is now. */
  ttlMs(key: string, policy: RegistrationSettings): number {
    return this.#keys.get(key)?.ttlMs ?? firstTtlMs(policy);
  }

  /** The keys that are remembered, the most wanted first. */
  hottest(): string[] {
    return [...this.#keys].sort(([, a], [, b]) => b.accesses - a.accesses).map(([key]) => key);
  }

  #adjust(demand: Demand, ttlMs: number): void {
    if (ttlMs === demand.ttlMs) return;
    this.adjustments++;
    demand.ttlMs = ttlMs;
  }

  #begin(key: string, policy: RegistrationSettings, nowMs: number): Demand {
    const demand: Demand = {
      ttlMs: firstTtlMs(policy),
      lastAtMs: nowMs,
      gapMs: Number.POSITIVE_INFINITY,
      accesses: 0,
      hot: undefined,
      window: policy.adaptive?.kind === "window" ? new Uint32Array(parts) : undefined,
      part: 0,
    };
    this.#keys.set(key, demand);
    if (this.#keys.size > this.#max) this.#forgetOne(nowMs);
    return demand;
  }

  /** The oldest goes, unless it was asked for since it was last looked at: then it stays once more, and the next one goes. */
  #forgetOne(nowMs: number): void {
    let looks = 0;
    for (const [key, demand] of this.#keys) {
      if (looks++ < 8 && demand.accesses > 1 && nowMs - demand.lastAtMs < demand.ttlMs) {
        this.#keys.delete(key);
        this.#keys.set(key, demand);
        continue;
      }
      this.#keys.delete(key);
      if (demand.hot === true) this.hotKeys--;
      return;
    }
  }
}

function firstTtlMs({ adaptive, cacheTtlMs }: RegistrationSettings): number {
  return adaptive?.kind === "window" ? adaptive.coldTtlMs : cacheTtlMs;
}

/** Counts an access, and gives how many there were within the window. */
function countWindow(demand: Demand, windowMs: number, nowMs: number): number {
  // A policy changed to a window since: nothing was counted, so the key is as cold as one access.
  if (demand.window === undefined) return 1;
  const { window } = demand;
  const part = Math.floor((nowMs * parts) / windowMs);
  if (part - demand.part >= parts || part < demand.part) window.fill(0);
  else for (let old = demand.part + 1; old <= part; old++) window[old % parts] = 0;
  demand.part = part;
  window[part % parts] = (window[part % parts] ?? 0) + 1;
  let count = 0;
  for (const one of window) count += one;
  return count;
}
