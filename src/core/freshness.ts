import type { CacheEntry } from "../cache/cache.ts";
import type { Call } from "./call.ts";
import type { Follower } from "./follower.ts";
import type { L1 } from "./l1.ts";
import type { Lives } from "./lives.ts";
import type { Need } from "./loaded.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";
import type { Tenures } from "./tenures.ts";

/**
 * Whether a copy may be served: within its TTL, by none of its tags outdated, and proven no older than its mode allows (rule SB3); in
 * strong mode under a live permission (rule ST1).
 */
export class Freshness {
  readonly #parts: Parts;
  readonly #l1: L1;
  readonly #follower: Follower;
  readonly #lives: Lives;
  readonly #tenures: Tenures;

  constructor(parts: Parts, l1: L1, follower: Follower, lives: Lives, tenures: Tenures) {
    this.#tenures = tenures;
    this.#parts = parts;
    this.#l1 = l1;
    this.#follower = follower;
    this.#lives = lives;
  }

  isFresh(key: string, entry: CacheEntry, settings: Policy, nowMs: number): boolean {
    // The policy may have changed since the copy was made.
    if (
      settings.extra === undefined
        ? nowMs >= entry.storedAtMs + settings.cacheTtlMs
        : !this.#lives.isLive(key, entry, settings, nowMs)
    ) {
      return false;
    }
    if (entry.tags !== undefined && !this.#l1.keeps(key, entry)) return false;
    const { adapter } = this.#parts;
    if (settings.mode === "local" || !adapter.supports.storage) return true;
    if (settings.mode === "strong") {
      const { tenure, shard } = entry;
      return tenure !== undefined && this.#tenures.isLive(shard ?? adapter.shardOf(key), tenure, nowMs);
    }
    if ((nowMs - entry.storedAtMs) * 2 <= settings.maxStalenessMs) return true;
    return this.isProven(entry.shard ?? adapter.shardOf(key), entry.storedAtMs, settings, nowMs);
  }

  /** Whether what was true at `sentAtMs` is known to have been true no longer than `maxStalenessMs` ago. */
  isProven(shard: number, sentAtMs: number, settings: Policy, nowMs: number): boolean {
    const { adapter } = this.#parts;
    const bound = settings.maxStalenessMs;
    let ageMs = nowMs - sentAtMs;
    if (!adapter.supports.changes) return ageMs <= bound;
    ageMs = Math.min(ageMs, nowMs - this.#follower.provenAtMs(shard));
    if (ageMs > bound) return false;
    if (ageMs * 2 > bound) this.#follower.kick(shard);
    return true;
  }

  /** Catches up with the logs of all shards of which a copy is held that is too old to be served as it is. */
  async catchUp(needs: readonly Need[], call: Call): Promise<void> {
    const { adapter, cache, clock, joinTimeoutMs } = this.#parts;
    if (!adapter.supports.changes || !adapter.supports.storage) return;
    const bounds = new Map<number, number>();
    for (const { key, settings } of needs) {
      if (settings.mode !== "eventual") continue;
      const held = this.#l1.inspect(key);
      // A cache that can't be looked into may hold a copy.
      if (
        cache.supports.peek &&
        (held === undefined || !this.#lives.isLive(key, held, settings, clock.now()))
      ) {
        continue;
      }
      const shard = held?.shard ?? adapter.shardOf(key);
      if (this.#follower.epoch(shard) === undefined) continue;
      if (clock.now() - this.#follower.provenAtMs(shard) <= settings.maxStalenessMs) continue;
      bounds.set(shard, Math.min(bounds.get(shard) ?? settings.maxStalenessMs, settings.maxStalenessMs));
    }
    if (bounds.size === 0) return;
    const works = [...bounds].map(async ([shard, boundMs]) => {
      try {
        await this.#follower.catchUp(shard, clock.now() - boundMs);
      } catch {
        // The follower told of it. These keys are read at the authority, which will say what is wrong.
      }
    });
    // One that takes too long is left to itself, too: what L1 can't prove then is read at the authority.
    await call.wait(Promise.all(works), joinTimeoutMs);
  }
}
