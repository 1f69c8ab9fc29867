import { WarpError } from "../errors.ts";
import type { Clock, Timers } from "../runtime/clock.ts";
import {
  maxClaimHolderLength,
  maxClaims,
  maxClaimTtlMs,
  maxClaimWaitMs,
  minClaimTtlMs,
} from "../runtime/limits.ts";
import { checkWhole } from "../runtime/ranges.ts";
import { checkKey } from "./key.ts";
import type { ClaimReply, ClaimRequest } from "./shard-api.ts";

/** What asks for a claim. */
export type Claiming = Pick<ClaimRequest, "key" | "holder" | "ttlMs" | "waitMs" | "release">;

interface Claim {
  readonly holder: string;
  readonly untilMs: number;
  readonly waiters: Set<() => void>;
}

/**
 * Who loads a missing key for all nodes: at most one holder for each key, in memory only. A claim saves work and promises nothing: it is lost with
 * the process, and where there are too many of them they are granted without being kept.
 */
export class LoadClaims {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #claims = new Map<string, Claim>();
  #waiting = 0;
  #tidyAtMs = 0;

  constructor(clock: Clock, timers: Timers) {
    this.#clock = clock;
    this.#timers = timers;
  }

  /** Answers one request; where another holds the claim, after at most `waitMs`. Throws `invalid_argument`, `invalid_key`. */
  async claim(request: Claiming): Promise<ClaimReply["claim"]> {
    checkClaim(request);
    const { key, holder, ttlMs, waitMs } = request;
    const nowMs = this.#clock.now();
    const present = this.#live(key, nowMs);
    if (request.release) {
      if (present?.holder === holder) this.end(key);
      return "released";
    }
    if (present !== undefined && present.holder !== holder) {
      return waitMs === 0 || this.#waiting >= maxClaims ? "busy" : await this.#wait(key, present, waitMs);
    }
    if (present === undefined && !this.#hasRoom(nowMs)) return "granted";
    this.#claims.set(key, { holder, untilMs: nowMs + ttlMs, waiters: present?.waiters ?? new Set() });
    return "granted";
  }

  /** The key was written or deleted, so that nobody needs to load it any more: ends its claim and wakes who waits. */
  end(key: string): void {
    const claim = this.#claims.get(key);
    if (claim === undefined) return;
    this.#claims.delete(key);
    for (const wake of claim.waiters) wake();
  }

  /** Ends all claims. */
  clear(): void {
    for (const key of [...this.#claims.keys()]) this.end(key);
  }

  #live(key: string, nowMs: number): Claim | undefined {
    const claim = this.#claims.get(key);
    if (claim === undefined || claim.untilMs > nowMs) return claim;
    this.end(key);
    return undefined;
  }

  async #wait(key: string, claim: Claim, waitMs: number): Promise<"changed" | "busy"> {
    const leftMs = claim.untilMs - this.#clock.now();
    this.#waiting++;
    let cancel = (): void => {};
    let wake = (): void => {};
    try {
      return await new Promise((resolve) => {
        wake = () => resolve("changed");
        claim.waiters.add(wake);
        // A renewed claim is another one with the same waiters: the first end in sight lets them look again, no more.
        cancel =
          leftMs <= waitMs
            ? this.#timers.after(leftMs, () =>
                resolve(this.#live(key, this.#clock.now()) ? "busy" : "changed"),
              )
            : this.#timers.after(waitMs, () => resolve("busy"));
      });
    } finally {
      cancel();
      claim.waiters.delete(wake);
      this.#waiting--;
    }
  }

  #hasRoom(nowMs: number): boolean {
    if (this.#claims.size >= maxClaims && nowMs >= this.#tidyAtMs) {
      // Now and then only: looking through all of them for each request would cost more than it frees.
      this.#tidyAtMs = nowMs + 1_000;
      for (const key of [...this.#claims.keys()]) this.#live(key, nowMs);
    }
    return this.#claims.size < maxClaims;
  }
}

/** Throws `invalid_key`, or `invalid_argument` naming the field and its range. */
export function checkClaim({ key, holder, ttlMs, waitMs }: Claiming): void {
  checkKey(key);
  if (typeof holder !== "string" || holder === "" || holder.length > maxClaimHolderLength) {
    throw outOfRange(
      "holder",
      `a holder's name has 1 to ${maxClaimHolderLength} characters`,
      1,
      maxClaimHolderLength,
    );
  }
  checkMs("ttlMs", ttlMs, minClaimTtlMs, maxClaimTtlMs);
  checkMs("waitMs", waitMs, 0, maxClaimWaitMs);
}

function checkMs(field: string, value: number, min: number, max: number): void {
  checkWhole("invalid_argument", field, value, min, max);
}

function outOfRange(field: string, message: string, min: number, max: number): WarpError {
  return new WarpError("invalid_argument", message, { details: { field, min, max } });
}
