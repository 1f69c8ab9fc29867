import { WarpError } from "../../errors.ts";
import type { LockCommand, LockInfo, LockVerdict } from "../../protocol/lock.ts";
import { checkLockCount, checkLockName, checkLockPlace, checkLockPoll } from "../../protocol/lock-rules.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { EndedGrant, LockPage, Locks, LocksSupports, ObservedElection } from "../lock.ts";
import { lockPageCursor, resolveLockList } from "../pages.ts";
import { MemoryLockSpace, type MemoryLockSpaceOptions, type Place } from "./memory-lock-space.ts";

const supports: LocksSupports = Object.freeze({
  exclusive: true,
  durable: false,
  shared: false,
  fair: true,
  sessions: true,
  elections: true,
});

/**
 * Locks inside the process: for `standalone()`, tests and single servers. They keep out whoever stands on the same {@link MemoryLockSpace}; each driver is
 * a session of it, which ends with `close()`.
 */
export function memoryLocks(options: MemoryLockSpaceOptions | { readonly space: MemoryLockSpace }): Locks {
  return new MemoryLocks("space" in options ? options.space : new MemoryLockSpace(options));
}

class MemoryLocks implements Locks {
  readonly supports = supports;
  readonly #space: MemoryLockSpace;
  readonly #session: string;
  readonly #listeners = new Set<(ended: EndedGrant) => void>();
  readonly #closing = new AbortController();

  constructor(space: MemoryLockSpace) {
    this.#space = space;
    this.#session = space.open(({ name, fence, reason }) => {
      for (const listener of [...this.#listeners]) {
        // Behind the stretch: what a listener throws is not the trouble of whoever was served in it.
        void Promise.resolve().then(() => listener({ name, fence, reason }));
      }
    });
  }

  async run(commands: readonly LockCommand[], options?: CallLimits): Promise<readonly LockVerdict[]> {
    this.#begin(options);
    checkLockCount(commands.length);
    return this.#space.run(commands, this.#session);
  }

  async wait(place: Place, options?: CallLimits): Promise<LockVerdict> {
    const signals = this.#begin(options);
    checkLockPlace(place);
    return await this.#whileOpen(this.#space.wait(place, this.#session, signals));
  }

  async info(name: string, options?: CallLimits): Promise<LockInfo> {
    this.#begin(options);
    checkLockName(name);
    return this.#space.info(name);
  }

  async list(
    options: CallLimits & {
      readonly prefix?: string;
      readonly limit?: number;
      readonly cursor?: string;
    } = {},
  ): Promise<LockPage> {
    this.#begin(options);
    const { prefix, after, limit } = resolveLockList(options);
    const { locks, more } = this.#space.list(prefix, after, limit);
    const last = locks.at(-1);
    return { locks, cursor: more && last !== undefined ? lockPageCursor(last.name, prefix) : undefined };
  }

  async observe(
    name: string,
    options: CallLimits & { readonly cursor?: string; readonly waitMs: number },
  ): Promise<ObservedElection> {
    const signals = this.#begin(options);
    checkLockName(name);
    checkLockPoll(options.waitMs);
    return await this.#whileOpen(this.#space.observe(name, options.cursor, options.waitMs, signals));
  }

  onEnd(listener: (ended: EndedGrant) => void): () => void {
    // Of its own, so that the same function may listen twice.
    const own = (ended: EndedGrant): void => listener(ended);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#space.leave(this.#session);
  }

  /** Gives the signals that end a call's wait. */
  #begin(options: CallLimits | undefined): readonly AbortSignal[] {
    if (this.#closing.signal.aborted) throw closed();
    checkCallLimits(options);
    const { signal } = this.#closing;
    return options?.signal === undefined ? [signal] : [signal, options.signal];
  }

  /** A wait that ends since this driver was closed says so. */
  async #whileOpen<T>(waiting: Promise<T>): Promise<T> {
    try {
      return await waiting;
    } catch (error) {
      throw this.#closing.signal.aborted ? closed() : error;
    }
  }
}

function closed(): WarpError {
  return new WarpError("warp_closed", "this driver is closed");
}
