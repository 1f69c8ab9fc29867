import type { SpaceClient } from "../../connection/space-client.ts";
import { SpaceLocks } from "../../connection/space-locks.ts";
import { isWarpError, WarpError } from "../../errors.ts";
import { lost } from "../../locking/verdicts.ts";
import type { LockCommand, LockInfo, LockVerdict } from "../../protocol/lock.ts";
import {
  checkLockCommand,
  checkLockCount,
  checkLockName,
  checkLockPlace,
  checkLockPoll,
} from "../../protocol/lock-rules.ts";
import { formatCursor, parseCursor } from "../../protocol/position.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { EndedGrant, LockPage, Locks, LocksSupports, ObservedElection } from "../lock.ts";
import { lockPageCursor, resolveLockList } from "../pages.ts";
import type { SessionGrants } from "./session-grants.ts";

/** Options of {@link shardLocks}. */
export interface ShardLocksOptions {
  /** The space's client; it is not closed with the driver. */
  readonly client: SpaceClient;
  /** Where calls belong to sessions, as over sockets: `sessionGrants`. Then ends are told, and grants may end with a session. Default none. */
  readonly sessions?: (client: SpaceClient) => SessionGrants;
}

/**
 * Locks and elections at the shards of a space, each in the shard of its name. A space that does not exist has no locks: whoever acquires one makes it, and questions about it, `confirm`
 * among them, are answered as about names that nobody uses.
 */
export function shardLocks(options: ShardLocksOptions): Locks {
  return new ShardLocks(options);
}

class ShardLocks implements Locks {
  readonly supports: LocksSupports;
  readonly #locks: SpaceLocks;
  readonly #grants: SessionGrants | undefined;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor({ client, sessions }: ShardLocksOptions) {
    this.#locks = new SpaceLocks(client);
    this.#grants = sessions?.(client);
    this.supports = Object.freeze({
      exclusive: true,
      durable: true,
      shared: true,
      fair: true,
      sessions: sessions !== undefined,
      elections: true,
    });
  }

  async run(commands: readonly LockCommand[], options?: CallLimits): Promise<readonly LockVerdict[]> {
    this.#begin(options);
    checkLockCount(commands.length);
    // What is malformed is refused here, so that the others' shards are told only what they can carry out.
    const wrong = commands.map((command) => checkLockCommand(command));
    const sound = commands.filter((_, at) => wrong[at] === undefined);
    const verdicts = sound.length === 0 ? [] : await this.#send(sound, options);
    let next = 0;
    return wrong.map((error) => {
      const verdict =
        error === undefined ? verdicts[next++] : ({ outcome: "fail", error: error.toData() } as const);
      if (verdict === undefined) throw new WarpError("internal", "a lock command was left unanswered");
      return verdict;
    });
  }

  async wait(
    place: {
      readonly name: string;
      readonly owner: string;
      readonly ticket: string;
      readonly waitMs: number;
    },
    options?: CallLimits,
  ): Promise<LockVerdict> {
    this.#begin(options);
    checkLockPlace(place);
    return await this.#whileOpen(this.#locks.wait(place, options));
  }

  async info(name: string, options?: CallLimits): Promise<LockInfo> {
    this.#begin(options);
    checkLockName(name);
    return await this.#inSpace(this.#locks.info(name, options), { name, holders: [], waiters: 0 });
  }

  async list(
    options: CallLimits & {
      readonly prefix?: string;
      readonly limit?: number;
      readonly cursor?: string;
    } = {},
  ): Promise<LockPage> {
    this.#begin(options);
    const resolved = resolveLockList(options);
    const nothing = { locks: [], next: undefined };
    const { locks, next } = await this.#inSpace(this.#locks.list(resolved, options), nothing);
    return { locks, cursor: next === undefined ? undefined : lockPageCursor(next, resolved.prefix) };
  }

  async observe(
    name: string,
    options: CallLimits & { readonly cursor?: string; readonly waitMs: number },
  ): Promise<ObservedElection> {
    this.#begin(options);
    checkLockName(name);
    checkLockPoll(options.waitMs);
    const { cursor, waitMs } = options;
    const since = cursor === undefined ? undefined : parseCursor(cursor);
    const from = since === undefined ? {} : { after: since.revision, epoch: since.epoch };
    const asked = this.#locks.observe({ name, waitMs, ...from }, options);
    const { events, to, epoch, gap } = await this.#whileOpen(asked);
    return { events, cursor: formatCursor({ epoch, revision: to }), gap: gap === true };
  }

  onEnd(listener: (ended: EndedGrant) => void): () => void {
    return this.#grants?.onEnd(listener) ?? (() => undefined);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const giveUp of this.#waiting) giveUp();
    this.#grants?.close();
  }

  async #send(
    commands: readonly LockCommand[],
    limits: CallLimits | undefined,
  ): Promise<readonly LockVerdict[]> {
    const grants = this.#grants;
    const breaks = commands.map(({ name }) => grants?.breaksOf(name) ?? 0);
    const asked = this.#locks.run(commands, limits).catch((error: unknown) => {
      const isQuestion = commands.every(({ kind }) => kind === "confirm");
      if (!isQuestion || !isWarpError(error, "space_not_found")) throw error;
      return commands.map(() => lost({ reason: "ended" }, undefined));
    });
    const verdicts = await this.#whileOpen(asked, "unknown");
    for (const [at, command] of commands.entries()) {
      const verdict = verdicts[at];
      if (verdict !== undefined) grants?.answered(command, verdict, breaks[at] ?? 0);
    }
    return verdicts;
  }

  /** A space that does not exist has nothing to tell. */
  async #inSpace<T>(asked: Promise<T>, nothing: T): Promise<T> {
    return await this.#whileOpen(asked).catch((error: unknown) => {
      if (isWarpError(error, "space_not_found")) return nothing;
      throw error;
    });
  }

  #begin(options: CallLimits | undefined): void {
    if (this.#closed) throw closed();
    checkCallLimits(options);
  }

  /** Ends a call's wait with this driver. What a command of it does is then unknown. */
  #whileOpen<T>(call: Promise<T>, outcome: "fail" | "unknown" = "fail"): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(closed(outcome));
      this.#waiting.add(giveUp);
      call.then(resolve, reject).finally(() => this.#waiting.delete(giveUp));
    });
  }
}

function closed(outcome: "fail" | "unknown" = "fail"): WarpError {
  return new WarpError("warp_closed", "these locks are closed", { outcome });
}
