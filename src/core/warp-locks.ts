import { WarpError } from "../errors.ts";
import type { Lease, LeaseOptions } from "../locking/lease-handle.ts";
import type { Lock } from "../locking/lock-handle.ts";
import { checkLockName } from "../protocol/lock-rules.ts";
import type { Codec } from "../runtime/codec.ts";
import type { Core } from "./core.ts";
import { Election } from "./election.ts";
import { LeaseDirectory } from "./lease-directory.ts";
import { LeaseHandles } from "./lease-handles.ts";
import { LockDirectory } from "./lock-directory.ts";
import { LockHandles } from "./lock-handles.ts";
import type { WarpLockOptions } from "./lock-types.ts";
import { codecOf } from "./readings.ts";
import type { WarpOptions } from "./types.ts";
import { WarpValues } from "./warp-values.ts";

/** Locks, elections and leases of a node. */
export class WarpLocks extends WarpValues {
  /** Locks and elections of the space: who holds what, and forced ends. */
  declare readonly locks: LockDirectory;
  /** Leases of the space. */
  declare readonly leases: LeaseDirectory;
  readonly #core: Core;
  readonly #lockHandles: LockHandles;
  readonly #leaseHandles: LeaseHandles;

  constructor(core: Core, options: WarpOptions) {
    super(core, options, {
      locks: (parts, driver) => new LockDirectory(parts, driver),
      leases: (parts, driver) => new LeaseDirectory(parts, driver),
    });
    this.#core = core;
    this.#lockHandles = new LockHandles(core.parts, this.locks);
    this.#leaseHandles = new LeaseHandles(core.parts, this.leases, options.renewLeases ?? true);
  }

  /**
   * A lock of this name, held until it is released: `await using lock = await warp.lock("nightly")`. Where it is not free, waits in line for up to `waitMs`, then `lock_held`.
   * It renews itself while this process has it; `lock.signal` fires when it is lost. Throws `aborted`, `wrong_kind`, `invalid_lock`, `invalid_ttl`, `invalid_argument`, `overloaded`.
   */
  async lock<T = unknown>(name: string, options?: WarpLockOptions<T>): Promise<Lock> {
    return await this.#lockHandles.lock(name, options);
  }

  /** {@link lock}, that gives undefined where it is held by others. */
  async tryLock<T = unknown>(name: string, options?: WarpLockOptions<T>): Promise<Lock | undefined> {
    return await this.#lockHandles.tryLock(name, options);
  }

  /**
   * Runs `work` under a lock and releases it, whatever comes of it; gives what `work` gave. Where the lock was lost before the work ended: `lock_lost` with the outcome
   * `unknown`. `work` should end when `lock.signal` fires, and guard its writes with `lock.guard`.
   */
  async withLock<R>(name: string, work: (lock: Lock) => R | Promise<R>): Promise<R>;
  async withLock<R>(
    name: string,
    options: WarpLockOptions<unknown>,
    work: (lock: Lock) => R | Promise<R>,
  ): Promise<R>;
  async withLock<R>(
    name: string,
    options: WarpLockOptions<unknown> | ((lock: Lock) => R | Promise<R>),
    work?: (lock: Lock) => R | Promise<R>,
  ): Promise<R> {
    if (typeof options === "function") return await this.#lockHandles.withLock(name, {}, options);
    if (work === undefined) {
      throw new WarpError("invalid_argument", "withLock takes the work to do under the lock", {
        details: { field: "work" },
      });
    }
    return await this.#lockHandles.withLock(name, options, work);
  }

  /** An election of this name; nothing is sent before it is used. Throws `invalid_lock`. */
  election<T = unknown>(name: string, options?: { readonly codec?: Codec<T> }): Election<T> {
    this.#core.parts.lifetime.check();
    checkLockName(name);
    return new Election(name, this.#lockHandles, this.locks, codecOf(options));
  }

  /**
   * A lease: keys that are attached to it are dropped from every cache (or deleted) when it ends. It is the authority's, so it outlives this call and this node, until its time
   * is over (rule LS2). Throws `invalid_ttl`, `invalid_argument`, `overloaded`.
   */
  async lease(options?: LeaseOptions): Promise<Lease> {
    return await this.#leaseHandles.grant(options);
  }
}
