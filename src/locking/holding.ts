import { isWarpError, WarpError } from "../errors.ts";
import type { LockCommand, LockEnd, LockKind } from "../protocol/lock.ts";
import { checkLockTtl } from "../protocol/lock-rules.ts";
import type { Payload } from "../protocol/payload.ts";
import { minLockTtlMs } from "../runtime/coordination-limits.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import type { Grant } from "./acquisition.ts";
import { sendUntil } from "./handle-attempt.ts";
import type { HandleHost } from "./handle-host.ts";
import { type LossReason, Term } from "./term.ts";

/** How a grant is held. */
export interface HoldingOptions {
  readonly name: string;
  readonly owner: string;
  readonly ttlMs: number;
  readonly autoRenew: boolean;
  /** Renewals by itself make it live no longer than this, from its acquisition. */
  readonly maxLifeMs: number | undefined;
  readonly kind: LockKind;
}

/** How long one exchange is tried, and until when its caller waits. */
export interface HandleLimits {
  /** How long the authority may be silent, 1 to 120,000 ms. Default 10,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * A grant that is held: what its holder may believe (the term), and the exchanges that lengthen it, ask about it and end it. Lock and leadership handles are faces of
 * it.
 */
export class Holding {
  readonly name: string;
  readonly owner: string;
  readonly fence: number;
  readonly term: Term;
  readonly #host: HandleHost;
  readonly #autoRenew: boolean;
  readonly #kind: LockKind;
  readonly #lifeEndMs: number;
  #ttlMs: number;
  /** Renewals one after the other: their order is the order of their times to live. */
  #renewing: Promise<unknown> = Promise.resolve();
  #released: Promise<boolean> | undefined;
  #release: { readonly wasHeld: boolean; readonly command: LockCommand } | undefined;
  #lossReason: LossReason | undefined;
  /** Ends what it does by itself. */
  readonly #over = new AbortController();

  constructor(host: HandleHost, grant: Grant, options: HoldingOptions) {
    const { name, owner, ttlMs, autoRenew, maxLifeMs, kind } = options;
    this.#host = host;
    this.#kind = kind;
    this.name = name;
    this.owner = owner;
    this.fence = grant.fence;
    this.#ttlMs = ttlMs;
    this.#autoRenew = autoRenew;
    this.#lifeEndMs = grant.sentAtMs + (maxLifeMs ?? Number.POSITIVE_INFINITY);
    this.term = new Term(host, grant, (reason) => {
      this.#lossReason = reason;
      return lostError(name, grant.fence, reason);
    });
    this.term.onEnd(() => this.#over.abort());
    this.#renewLater(grant.sentAtMs);
  }

  /** Somebody has said that this grant has ended. */
  told(reason: LockEnd): void {
    this.term.lose(reasonOf(reason));
  }

  /** Lengthens it by its time to live, or by another that it has from now on. Throws `lock_lost`. */
  async renew(ttlMs: number | undefined, limits: HandleLimits): Promise<void> {
    if (ttlMs !== undefined) checkLockTtl(ttlMs);
    const before = this.#renewing;
    const renewal = before.then(() => this.#renew(ttlMs, limits));
    this.#renewing = renewal.catch(() => undefined);
    await renewal;
  }

  /** Asks the authority whether it is live. Throws `lock_lost`. */
  async confirm(limits: HandleLimits): Promise<void> {
    const { name, owner, fence } = this;
    await this.#exchange({ kind: "confirm", opId: this.#host.opId(), name, owner, fence }, limits);
  }

  /** A leader's word. Throws `lock_lost`. */
  async proclaim(value: Payload, limits: HandleLimits): Promise<void> {
    const { name, owner, fence } = this;
    await this.#exchange({ kind: "proclaim", opId: this.#host.opId(), name, owner, fence, value }, limits);
  }

  /** Gives it back; gives whether it was held until then. Once answered it is not sent again; after a failure a further call repeats it. */
  release(limits: HandleLimits): Promise<boolean> {
    this.#released ??= this.#giveBack(limits).catch((error: unknown) => {
      this.#released = undefined;
      throw error;
    });
    return this.#released;
  }

  /** {@link release} for callers that can't be told of trouble: it goes to the host, and the grant ends by its time. */
  async dispose(): Promise<void> {
    await this.release({}).catch(this.#host.onError);
  }

  async #renew(ttlMs: number | undefined, limits: HandleLimits): Promise<void> {
    const { name, owner, fence } = this;
    this.#check();
    const sent = { kind: "renew", opId: this.#host.opId(), name, owner, fence } as const;
    const sentAtMs = await this.#exchange(ttlMs === undefined ? sent : { ...sent, ttlMs }, limits);
    this.#renewLater(sentAtMs);
  }

  /** Sends what claims the grant; its answer lengthens the term. Gives when it was sent. */
  async #exchange(
    command: LockCommand,
    { timeoutMs = defaultTimeoutMs, signal }: HandleLimits,
  ): Promise<number> {
    this.#check();
    const { verdict, sentAtMs } = await sendUntil(this.#host, command, {
      untilMs: this.#host.elapsed.now() + timeoutMs,
      signal,
    });
    if (verdict.outcome === "fail") {
      const { code, details } = verdict.error;
      if (code === "lock_lost") this.term.lose(reasonOf(details?.reason));
      if (code === "not_owner") this.term.lose("lost");
      throw WarpError.fromData(verdict.error);
    }
    if (verdict.state !== "held") throw new WarpError("internal", "a grant was answered with something else");
    this.#ttlMs = verdict.ttlMs;
    this.term.extend({ sentAtMs, remainingMs: verdict.remainingMs });
    this.#check();
    return sentAtMs;
  }

  /** After a third of its time, so that there is time to try again. */
  #renewLater(sentAtMs: number): void {
    if (!this.#autoRenew) return;
    this.term.renewAt(sentAtMs + this.#ttlMs / 3, () => this.#renewByItself());
  }

  #renewByItself(): void {
    const { elapsed, background, onError } = this.#host;
    const leftMs = Math.floor(this.#lifeEndMs - elapsed.now());
    // The last renewal asks for what is left of its life; less than it has, or than can be asked for, is no renewal.
    if (leftMs < this.#ttlMs && (leftMs < minLockTtlMs || leftMs <= this.term.remainingMs())) return;
    const ttlMs = leftMs < this.#ttlMs ? leftMs : undefined;
    const sentAtMs = elapsed.now();
    const limits = { timeoutMs: Math.max(1, this.term.remainingMs()), signal: this.#over.signal };
    const renewal = this.renew(ttlMs, limits).catch((error: unknown) => {
      // Lost, or given back meanwhile: the signal tells, or nobody is interested.
      if (this.term.isOver) return;
      onError(error);
      this.#renewLater(sentAtMs);
    });
    background.run(renewal);
  }

  async #giveBack({ timeoutMs = defaultTimeoutMs, signal }: HandleLimits): Promise<boolean> {
    const { name, owner, fence } = this;
    const before = this.#release;
    this.#release ??= {
      wasHeld: !this.term.isOver,
      command: { kind: "release", opId: this.#host.opId(), name, owner, fence },
    };
    const { wasHeld, command } = this.#release;
    this.term.end();
    // Where only the time to count on it has passed, the authority may still have it.
    if (this.#lossReason !== undefined && this.#lossReason !== "validity") return false;
    const untilMs = this.#host.elapsed.now() + timeoutMs;
    let { verdict } = await sendUntil(this.#host, command, { untilMs, signal });
    const isTooOld = verdict.outcome === "fail" && verdict.error.code === "op_id_expired";
    if (isTooOld && before !== undefined && this.#kind !== "reentrant") {
      // What became of the earlier one is no longer known. It can be sent anew: such a grant is released only once.
      const anew = { ...command, opId: this.#host.opId() };
      this.#release = { wasHeld, command: anew };
      ({ verdict } = await sendUntil(this.#host, anew, { untilMs, signal }));
    }
    if (verdict.outcome === "ok") return wasHeld;
    const { code } = verdict.error;
    if (code === "lock_lost" || code === "not_owner") return false;
    throw WarpError.fromData(verdict.error);
  }

  #check(): void {
    if (!this.term.isOver) return;
    const { reason } = this.term.signal;
    throw isWarpError(reason) ? reason : lostError(this.name, this.fence, "released");
  }
}

function lostError(name: string, fence: number, reason: LossReason | "released"): WarpError {
  return new WarpError("lock_lost", `the lock ${JSON.stringify(name)} is held no more: ${words[reason]}`, {
    details: { reason, fence },
  });
}

const words: Readonly<Record<LossReason | "released", string>> = {
  expired: "its time was over",
  forced: "an administrator ended it",
  lost: "the authority has ended it",
  validity: "it was not renewed in time",
  closed: "its node was closed",
  released: "it was released",
};

/** What a holder is told of an end. */
function reasonOf(end: unknown): LossReason {
  return end === "expired" || end === "forced" ? end : "lost";
}
