import { isWarpError } from "../errors.ts";
import type { HandleHost } from "../locking/handle-host.ts";
import type { Holding } from "../locking/holding.ts";
import { Holdings } from "../locking/holdings.ts";
import { Lock, whileHeld } from "../locking/lock-handle.ts";
import { type LockOptions, type ResolvedLock, resolveLock } from "../locking/lock-options.ts";
import { handleHost } from "./handle-hosts.ts";
import type { LockDirectory } from "./lock-directory.ts";
import type { WarpLockOptions } from "./lock-types.ts";
import type { Parts } from "./parts.ts";
import { codecOf } from "./readings.ts";

/** The locks that this node holds. */
export class LockHandles {
  /** Throws `unsupported`, `warp_closed`. */
  readonly host: () => HandleHost;
  readonly #parts: Parts;
  #holdings: Holdings | undefined;

  constructor(parts: Parts, directory: LockDirectory) {
    this.#parts = parts;
    this.host = () => handleHost(parts, directory.driver);
    parts.lifetime.onEnd(() => this.#holdings?.close());
  }

  async lock<T>(name: string, options: WarpLockOptions<T> = {}): Promise<Lock> {
    return new Lock(await this.hold(name, resolveLock(encoded(options))));
  }

  /** Undefined: it is held by others. */
  async tryLock<T>(name: string, options: WarpLockOptions<T> | undefined): Promise<Lock | undefined> {
    try {
      return await this.lock(name, options);
    } catch (error) {
      if (isWarpError(error, "lock_held")) return undefined;
      throw error;
    }
  }

  async withLock<R>(
    name: string,
    options: WarpLockOptions<unknown>,
    work: (lock: Lock) => R | Promise<R>,
  ): Promise<R> {
    const lock = await this.lock(name, options);
    return await whileHeld(lock, work, this.host().onError);
  }

  async hold(name: string, options: ResolvedLock): Promise<Holding> {
    this.#parts.lifetime.check();
    this.#holdings ??= new Holdings(this.host());
    return await this.#holdings.acquire(name, options);
  }
}

function encoded<T>({ value, codec, ...rest }: WarpLockOptions<T>): LockOptions {
  return value === undefined ? rest : { ...rest, value: codecOf({ ...(codec && { codec }) }).encode(value) };
}
