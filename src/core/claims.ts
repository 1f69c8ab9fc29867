import { isWarpError } from "../errors.ts";
import { randomHex } from "../runtime/ids.ts";
import {
  defaultTimeoutMs,
  maxClaimTtlMs,
  maxClaimWaitMs,
  maxTimeoutMs,
  minClaimTtlMs,
} from "../runtime/limits.ts";
import type { Parts } from "./parts.ts";

/** How long a claim stands where the policy has no hard time-out for loads. */
const defaultClaimTtlMs = 10_000;

/**
 * One load of a missing key for all nodes of a space (`loadSharing: "space"`, rule CO2): the shard lets one of them load, the others wait and
 * read what it stored. It saves work and promises nothing: whoever waits too long, or can't ask, loads by itself.
 */
export class Claims {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * What `load` gives, run by one node at a time; or what `read` finds once another has loaded. `hardTimeoutMs` is how long a load may take,
   * and so how long one that died keeps the others waiting; default 10 s.
   */
  async share<T>(
    key: string,
    hardTimeoutMs: number | undefined,
    load: () => Promise<T>,
    read: () => Promise<T | undefined>,
  ): Promise<T> {
    const { adapter, clock, random } = this.#parts;
    if (!adapter.supports.claims) return await load();
    const ttlMs = Math.min(Math.max(hardTimeoutMs ?? defaultClaimTtlMs, minClaimTtlMs), maxClaimTtlMs);
    const claim = { key, holder: randomHex(random, 8), ttlMs };
    // Twice: the first to have it may die, and the next one too.
    const untilMs = clock.now() + 2 * ttlMs;
    for (;;) {
      const waitMs = Math.min(Math.floor(untilMs - clock.now()), maxClaimWaitMs);
      if (waitMs <= 0) return await load();
      let reply: Awaited<ReturnType<typeof adapter.claimLoad>>;
      try {
        reply = await adapter.claimLoad(
          { ...claim, waitMs },
          {
            timeoutMs: Math.min(waitMs + defaultTimeoutMs, maxTimeoutMs),
          },
        );
      } catch (error) {
        this.#tell(error);
        return await load();
      }
      if (reply === "granted") break;
      const found = await read();
      if (found !== undefined) return found;
      if (reply === "busy") return await load();
    }
    try {
      return await load();
    } finally {
      const end = adapter.claimLoad({ ...claim, waitMs: 0, release: true });
      this.#parts.background.run(end.catch((error: unknown) => this.#tell(error)));
    }
  }

  #tell(error: unknown): void {
    if (isWarpError(error, "unsupported") || isWarpError(error, "warp_closed")) return;
    this.#parts.counters.errors++;
    this.#parts.emitter.emit("error", { error });
  }
}
