import type { LeaseCommand, LeaseEndAction, LeaseInfo } from "../../protocol/lease.ts";

/** One live lease. Its times are those of the elapsed clock. */
export class MemoryLease {
  readonly id: string;
  readonly onEnd: LeaseEndAction;
  readonly keys = new Set<string>();
  readonly #ttlMs: number;
  readonly #grantedAtMs: number;
  readonly #lifeUntilMs: number;
  deadlineMs: number;

  /** `grantedAtMs` is told, `nowMs` counts. */
  constructor(
    { id, ttlMs, onEnd, maxLifeMs }: Extract<LeaseCommand, { kind: "grant" }>,
    grantedAtMs: number,
    nowMs: number,
  ) {
    this.id = id;
    this.onEnd = onEnd;
    this.#ttlMs = ttlMs;
    this.#grantedAtMs = grantedAtMs;
    this.#lifeUntilMs = maxLifeMs === undefined ? Number.POSITIVE_INFINITY : nowMs + maxLifeMs;
    this.deadlineMs = nowMs + ttlMs;
  }

  /** Its TTL begins anew; its life is not prolonged by that. */
  renew(nowMs: number): void {
    this.deadlineMs = Math.min(nowMs + this.#ttlMs, this.#lifeUntilMs);
  }

  remainingMs(nowMs: number): number {
    return Math.max(0, Math.floor(this.deadlineMs - nowMs));
  }

  info(nowMs: number): LeaseInfo {
    return {
      id: this.id,
      ttlMs: this.#ttlMs,
      remainingMs: this.remainingMs(nowMs),
      onEnd: this.onEnd,
      grantedAtMs: this.#grantedAtMs,
      ...(Number.isFinite(this.#lifeUntilMs)
        ? { lifeRemainingMs: Math.max(0, Math.floor(this.#lifeUntilMs - nowMs)) }
        : {}),
      shards: this.keys.size === 0 ? [] : [0],
    };
  }
}
