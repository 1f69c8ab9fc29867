import type { Cache, CacheEntry } from "../cache/cache.ts";
import { epochOf, toCacheEntry } from "./entry.ts";
import type { Follower } from "./follower.ts";
import type { L1 } from "./l1.ts";
import type { Lives } from "./lives.ts";
import type { Loaded, Need } from "./loaded.ts";
import type { Moment } from "./moment.ts";
import type { Parts } from "./parts.ts";
import type { Policy } from "./policy.ts";

/** What {@link SecondTier} works with. */
export interface SecondTierParts {
  readonly parts: Parts;
  readonly cache: Cache;
  readonly l1: L1;
  readonly follower: Follower;
  readonly lives: Lives;
  /** Whether what this node knows is of the space as it is last known. */
  readonly isOfThisLife: () => boolean;
}

/**
 * A cache that all nodes share, behind L1 and before the authority, for keys whose policy has `kvTtlMs`. It may give old copies. One is used
 * only by the age rule: known to be true no longer than `maxStalenessMs` ago, and contradicted by nothing that this node knows. Its
 * trouble is never the caller's.
 */
export class SecondTier {
  readonly #with: SecondTierParts;

  constructor(parts: SecondTierParts) {
    this.#with = parts;
  }

  /** Whether this key's copies are kept here, and will do for who asks. */
  serves({ settings, authority }: Need): boolean {
    return authority !== true && keeps(settings);
  }

  /** The copies that may be given, by key. `begun`: when they were wanted. Never throws. */
  async find(needs: readonly Need[], begun: Moment): Promise<ReadonlyMap<string, Loaded>> {
    const found = new Map<string, Loaded>();
    const looks = needs.map(async (need) => {
      try {
        const loaded = await this.#look(need, begun);
        if (loaded !== undefined) found.set(need.key, loaded);
      } catch (error) {
        this.#trouble(error);
      }
    });
    await Promise.all(looks);
    return found;
  }

  /** Keeps, behind the answer, a copy from the authority or of what was written there. */
  keep(key: string, settings: Policy, copy: CacheEntry): void {
    const { kvTtlMs } = settings.settings;
    if (kvTtlMs === undefined || !keeps(settings)) return;
    const { storedAtMs, endsAtMs } = copy;
    const entry: CacheEntry = {
      ...copy,
      asOfMs: storedAtMs,
      expiresAtMs: Math.min(storedAtMs + kvTtlMs, endsAtMs),
      decoded: undefined,
      decodedBy: undefined,
    };
    this.#behind(async () => this.#with.cache.set(key, entry));
  }

  /** Drops, behind the answer, the copy of a key that this node changed. */
  drop(key: string, settings: Policy | undefined): void {
    if (settings !== undefined && keeps(settings)) this.#behind(async () => this.#with.cache.delete(key));
  }

  async #look(need: Need, begun: Moment): Promise<Loaded | undefined> {
    const { parts, cache, follower } = this.#with;
    const shard = parts.adapter.shardOf(need.key);
    // Without a position of the shard there is nothing to hold a copy against.
    if (follower.epoch(shard) === undefined) return undefined;
    const held = await cache.get(need.key, parts.clock.now());
    if (held === undefined || !this.#stands(need, shard, held)) return undefined;
    return await this.#take(need, shard, held, begun);
  }

  /** Whether a copy may be given now. Judged after the wait for it: what this node learned meanwhile counts. */
  #stands({ key, settings }: Need, shard: number, held: CacheEntry): boolean {
    const { parts, l1, follower, isOfThisLife } = this.#with;
    if (!isOfThisLife() || held.shard !== shard || epochOf(held) !== follower.epoch(shard)) return false;
    const asOfMs = held.asOfMs ?? held.storedAtMs;
    const ageMs = parts.clock.now() - asOfMs;
    // A time ahead of this node's clock proves nothing.
    if (!(ageMs >= 0 && ageMs <= settings.maxStalenessMs) || asOfMs <= l1.barrierAtMs) return false;
    const { detour } = parts.adapter;
    if (detour !== undefined && asOfMs <= detour.barrierAtMs(key)) return false;
    if (l1.refutes(key, shard, held)) return false;
    // Not back behind what this node gave already.
    const own = l1.inspect(key);
    return own === undefined || (own.asOf <= held.asOf && own.version <= held.version);
  }

  /** Gives a copy with its age; it enters L1 if the log has been followed since it was true. */
  async #take(
    { key, settings }: Need,
    shard: number,
    held: CacheEntry,
    begun: Moment,
  ): Promise<Loaded | undefined> {
    const { parts, l1, lives } = this.#with;
    const atMs = held.asOfMs ?? held.storedAtMs;
    const position = { shard, epoch: epochOf(held), revision: held.asOf };
    const { payload, version, modifiedAtMs, tags } = held;
    const stored = {
      payload,
      version,
      modifiedAtMs,
      ...(held.endsAtMs === Number.POSITIVE_INFINITY ? {} : { expiresInMs: held.endsAtMs - atMs }),
      ...(tags === undefined ? {} : { tags }),
    };
    const entry = toCacheEntry(stored, position, atMs, lives.ofCopy(key, settings, "load"));
    if (l1.isFollowed(shard, entry.asOf) && entry.expiresAtMs > parts.clock.now()) {
      const { as } = await l1.admit(key, shard, entry, begun);
      if (as !== "kept") return undefined;
    }
    parts.counters.secondTierHits++;
    return { entry, position, begun, overtaken: false, cached: true };
  }

  #behind(work: () => Promise<unknown>): void {
    this.#with.parts.background.run(work().catch((error: unknown) => this.#trouble(error)));
  }

  #trouble(error: unknown): void {
    const { counters, emitter } = this.#with.parts;
    counters.errors++;
    counters.secondTierErrors++;
    emitter.emit("error", { error });
  }
}

function keeps({ mode, settings }: Policy): boolean {
  return settings.kvTtlMs !== undefined && mode !== "strong";
}
