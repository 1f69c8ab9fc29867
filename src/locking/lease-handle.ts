import { isWarpError, WarpError } from "../errors.ts";
import type { LeaseCommand, LeaseEndAction, LeaseVerdict } from "../protocol/lease.ts";
import { checkLeaseShape } from "../protocol/lease-rules.ts";
import { type CallLimits, checkCallLimits } from "../runtime/call-limits.ts";
import { defaultLeaseTtlMs } from "../runtime/coordination-limits.ts";
import { randomHex } from "../runtime/ids.ts";
import { defaultTimeoutMs } from "../runtime/limits.ts";
import { type Answered, persist } from "./handle-attempt.ts";
import type { HandleHost } from "./handle-host.ts";
import type { HandleLimits } from "./holding.ts";
import { type LossReason, Term } from "./term.ts";

/** What handles ask of the leases of a space: a driver, or a client over HTTP. See `Leases` for what each promises. */
export interface LeaseCalls {
  run(commands: readonly LeaseCommand[], options?: CallLimits): Promise<readonly LeaseVerdict[]>;
  /** Absent: nothing is told, handles find out when they keep it alive, or when its time is over. */
  onEnd?(listener: (id: string) => void): () => void;
}

/** What handles of leases are made of. */
export interface LeaseHost extends Omit<HandleHost, "calls"> {
  readonly calls: LeaseCalls;
}

/** Options of a lease. */
export interface LeaseOptions extends CallLimits {
  /** It ends so long after it was last kept alive, 100 ms to 24 h. Default 60,000. */
  readonly ttlMs?: number;
  /** What its end does to its keys, on every node: drop all copies, or delete them. Default `"invalidate"`. */
  readonly onEnd?: LeaseEndAction;
  /** It ends then, however often it is kept alive: `ttlMs` to 30 days. Default: no such end. */
  readonly maxLifeMs?: number;
  /** Whether the handle keeps it alive while this node lives. Default: as the node was made. */
  readonly autoRenew?: boolean;
}

/** A lease that this node has granted. It is the authority's: it outlives the handle, and the request that made it, until its time is over (rule LS2). */
export class Lease {
  readonly id: string;
  readonly #host: LeaseHost;
  readonly #term: Term;
  readonly #ttlMs: number;
  #renewing: boolean;
  /** Ends what it does by itself. */
  readonly #over = new AbortController();
  #revocation: LeaseCommand | undefined;

  /** Use {@link grantLease}. */
  constructor(
    host: LeaseHost,
    grant: { readonly id: string; readonly sentAtMs: number; readonly remainingMs: number },
    options: { readonly ttlMs: number; readonly autoRenew: boolean },
  ) {
    this.#host = host;
    this.id = grant.id;
    this.#ttlMs = options.ttlMs;
    this.#renewing = options.autoRenew;
    this.#term = new Term(host, grant, (reason) => endedError(grant.id, reason));
    this.#term.onEnd(() => this.#over.abort());
    this.#renewLater(grant.sentAtMs);
  }

  /** Until when it lives unless it is kept alive, in ms by this host's elapsed clock (which begins as its Unix time); never late. */
  get validUntilMs(): number {
    return this.#term.validUntilMs;
  }

  /** 0: it has ended, as far as this node knows. */
  remainingMs(): number {
    return this.#term.remainingMs();
  }

  /**
   * Fires once, when it has ended otherwise than by this handle, or can't be known to live. Its reason is a WarpError `lease_not_found` whose `details.reason` is `lost`
   * (revoked, or its time is over), `validity` (it could not be kept alive in time) or `closed` (this node was closed).
   */
  get signal(): AbortSignal {
    return this.#term.signal;
  }

  /** Attaches a key, or up to 1,000; gives how many were not attached before. Throws `lease_not_found`, `batch_too_large`. */
  async attach(keys: string | readonly string[], options: HandleLimits = {}): Promise<number> {
    return (
      (await this.#exchange({ kind: "attach", ...this.#named(), keys: listOf(keys) }, options)).changed ?? 0
    );
  }

  /** Takes keys out again; gives how many were attached. Throws `lease_not_found`. */
  async detach(keys: string | readonly string[], options: HandleLimits = {}): Promise<number> {
    return (
      (await this.#exchange({ kind: "detach", ...this.#named(), keys: listOf(keys) }, options)).changed ?? 0
    );
  }

  /** Its time begins anew. Throws `lease_not_found`. */
  async keepAlive(options: HandleLimits = {}): Promise<void> {
    await this.#exchange({ kind: "keepAlive", ...this.#named() }, options);
  }

  /** From now on it ends by its time unless {@link keepAlive} is called. */
  stopRenewing(): void {
    this.#renewing = false;
  }

  /**
   * Ends it: answered when that is carried out for all its keys on every shard (rule LS4). False: it had ended before. Where the answer does not come in time the outcome is
   * unknown; a further call goes on waiting for the same end.
   */
  async revoke(options: HandleLimits = {}): Promise<boolean> {
    const before = this.#revocation;
    this.#revocation ??= { kind: "revoke", ...this.#named() };
    this.stopRenewing();
    let { verdict } = await send(this.#host, this.#revocation, options);
    if (before !== undefined && verdict.outcome === "fail" && verdict.error.code === "op_id_expired") {
      // What became of the earlier one is no longer known; to end it twice does no harm.
      this.#revocation = { kind: "revoke", ...this.#named() };
      ({ verdict } = await send(this.#host, this.#revocation, options));
    }
    if (verdict.outcome === "fail" && verdict.error.code !== "lease_not_found") {
      throw WarpError.fromData(verdict.error);
    }
    this.#term.end();
    return verdict.outcome === "ok";
  }

  /** Somebody has said that it has ended, or its node was closed. */
  told(reason: LossReason): void {
    // Its own revocation is no loss.
    if (this.#revocation === undefined) this.#term.lose(reason);
    else this.#term.end();
  }

  /** Runs `listener` once when it has ended, as far as this node knows. */
  onEnd(listener: () => void): void {
    this.#term.onEnd(listener);
  }

  async #exchange(
    command: LeaseCommand,
    limits: HandleLimits,
  ): Promise<Extract<LeaseVerdict, { outcome: "ok" }>> {
    checkLeaseShape(command);
    const { verdict, sentAtMs } = await send(this.#host, command, limits);
    if (verdict.outcome === "fail") {
      if (verdict.error.code === "lease_not_found") this.#term.lose("lost");
      throw WarpError.fromData(verdict.error);
    }
    const { remainingMs } = verdict;
    if (remainingMs !== undefined) {
      this.#term.extend({ sentAtMs, remainingMs });
      this.#renewLater(sentAtMs);
    }
    return verdict;
  }

  #named(): { readonly opId: string; readonly id: string } {
    return { opId: this.#host.opId(), id: this.id };
  }

  #renewLater(sentAtMs: number): void {
    this.#term.renewAt(sentAtMs + this.#ttlMs / 3, () => {
      if (!this.#renewing) return;
      const { background, elapsed, onError } = this.#host;
      const triedAtMs = elapsed.now();
      const limits = { timeoutMs: Math.max(1, this.#term.remainingMs()), signal: this.#over.signal };
      const renewal = this.keepAlive(limits).catch((error: unknown) => {
        if (this.#term.isOver) return;
        onError(error);
        this.#renewLater(triedAtMs);
      });
      background.run(renewal);
    });
  }
}

/** Grants a lease. Throws `invalid_ttl`, `invalid_argument`, `overloaded`, and what else the authority says. */
export async function grantLease(
  host: LeaseHost,
  options: LeaseOptions & { readonly autoRenew: boolean },
): Promise<Lease> {
  checkCallLimits(options);
  const { ttlMs = defaultLeaseTtlMs, onEnd = "invalidate", maxLifeMs, autoRenew } = options;
  const id = randomHex(host.random, 16);
  const life = maxLifeMs === undefined ? {} : { maxLifeMs };
  const command = { kind: "grant", opId: host.opId(), id, ttlMs, onEnd, ...life } as const;
  checkLeaseShape(command);
  const { verdict, sentAtMs } = await send(host, command, options).catch((error: unknown) => {
    if (isWarpError(error) && error.outcome === "unknown") host.background.run(undo(host, command));
    throw error;
  });
  if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
  const remainingMs = verdict.remainingMs ?? 0;
  return new Lease(host, { id, sentAtMs, remainingMs }, { ttlMs, autoRenew });
}

/**
 * Nobody will have its id. A revocation takes the op id of the grant: if that was still free, a late grant is refused from now on; else there is a lease to be revoked. Where that can't be told
 * either, it ends by its time.
 */
async function undo(host: LeaseHost, { id, opId }: LeaseCommand): Promise<void> {
  try {
    const { verdict } = await send(host, { kind: "revoke", opId, id }, {});
    if (verdict.outcome === "ok" || verdict.error.code !== "op_id_reused") return;
    await send(host, { kind: "revoke", opId: host.opId(), id }, {});
  } catch (error) {
    if (!isWarpError(error, "warp_closed")) host.onError(error);
  }
}

function send(
  host: LeaseHost,
  command: LeaseCommand,
  { timeoutMs = defaultTimeoutMs, signal }: HandleLimits,
): Promise<Answered<LeaseVerdict>> {
  const untilMs = host.elapsed.now() + timeoutMs;
  return persist(host, (options) => host.calls.run([command], options), { untilMs, signal });
}

function listOf(keys: string | readonly string[]): readonly string[] {
  return typeof keys === "string" ? [keys] : [...keys];
}

function endedError(id: string, reason: LossReason): WarpError {
  return new WarpError("lease_not_found", `the lease ${id} has ended, or can't be known to live`, {
    details: { reason },
  });
}
