import { isWarpError } from "../errors.ts";
import type { HandleHost } from "../locking/handle-host.ts";
import { Holdings } from "../locking/holdings.ts";
import { Leadership } from "../locking/leadership.ts";
import { Lock } from "../locking/lock-handle.ts";
import { type HoldOptions, type LockOptions, resolveLock } from "../locking/lock-options.ts";
import type { ElectionEvent, LockHolder, LockInfo } from "../protocol/lock.ts";
import type { Payload } from "../protocol/payload.ts";
import type { Clock } from "../runtime/clock.ts";
import { payloadCodec } from "../runtime/codec.ts";
import { maxLockWaitMs } from "../runtime/coordination-limits.ts";
import { uuidv7 } from "../runtime/ids.ts";
import type { HttpClient } from "./http.ts";
import { httpLockCalls } from "./lock-calls.ts";
import { queryText, resourcePath, spacePath } from "./path.ts";
import { payloadOf, type ValueRecord } from "./record.ts";

export type { Leadership, Lock };

/** A live grant as the server answers it. */
export type HolderRecord = Omit<LockHolder, "value"> & ValueRecord;

/** A name in use. */
export type LockRecord = Omit<LockInfo, "holders"> & { readonly holders: readonly HolderRecord[] };

/** A page of names in use. */
export interface LockPageRecord {
  readonly items: readonly LockRecord[];
  readonly cursor?: string;
}

/** Who leads, and from where on to follow what comes. */
export interface LeaderRecord {
  readonly name: string;
  readonly leader: HolderRecord | null;
  readonly candidates: number;
  readonly cursor: string;
}

/** What {@link HttpLocks} asks of its host beyond the client. */
export type LocksHost = Pick<HandleHost, "timers" | "random" | "background" | "onError"> & {
  readonly clock: Clock;
  /** Never goes back. */
  readonly elapsed: Clock;
};

/** Locks and elections of a space, over HTTP: handles that renew themselves, and what is to be seen. */
export class HttpLocks {
  readonly #client: HttpClient;
  readonly #space: string;
  readonly #holdings: Holdings;
  #closed = false;

  constructor(client: HttpClient, space: string, host: LocksHost) {
    this.#client = client;
    this.#space = space;
    const opId = (): string => uuidv7(host.clock, host.random);
    const calls = httpLockCalls(client, space, () => this.#closed);
    this.#holdings = new Holdings({ ...host, calls, opId });
  }

  /** A lock that is held until it is released. Throws `lock_held` where it does not come free in time. */
  async lock(name: string, options: LockOptions = {}): Promise<Lock> {
    return new Lock(await this.#holdings.acquire(name, resolveLock(options)));
  }

  /** Campaigns with a value: a leadership that is kept until it is given up. Without `waitMs` it waits as long as it takes; with it `lock_held` when that is over. */
  async campaign(
    name: string,
    value: Payload,
    options: HoldOptions & { readonly waitMs?: number } = {},
  ): Promise<Leadership<Payload>> {
    const { waitMs } = options;
    for (;;) {
      try {
        const asked = { ...options, waitMs: waitMs ?? maxLockWaitMs, value };
        return new Leadership(
          await this.#holdings.acquire(name, resolveLock(asked, "election")),
          payloadCodec,
        );
      } catch (error) {
        // Without a bound of its own it waits beyond the longest wait that can be asked for.
        if (waitMs !== undefined || !isWarpError(error, "lock_held")) throw error;
      }
    }
  }

  /** Who holds a name, and how many wait. */
  async info(name: string): Promise<LockRecord> {
    return await this.#client.json({ method: "GET", path: resourcePath(this.#space, "locks", name) });
  }

  /** A page of names in use. */
  async list(
    options: { readonly prefix?: string; readonly limit?: number; readonly cursor?: string } = {},
  ): Promise<LockPageRecord> {
    return await this.#client.json({
      method: "GET",
      path: `${spacePath(this.#space)}/locks${queryText({ ...options })}`,
    });
  }

  /** Ends what others hold; gives how many grants that were. For admins. */
  async force(name: string, fence?: number, opId = this.#client.newOpId()): Promise<number> {
    const path = resourcePath(this.#space, "locks", name) + queryText({ force: true, fence });
    const { forced } = await this.#client.json<{ forced: number }>({ method: "DELETE", path, opId });
    return forced;
  }

  /** Who leads. */
  async leader(name: string): Promise<LeaderRecord> {
    return await this.#client.json({ method: "GET", path: resourcePath(this.#space, "elections", name) });
  }

  /** The steps of an election after a cursor; waits for one for up to `waitMs`, 0 to 25,000. */
  async observe(
    name: string,
    after: string,
    {
      waitMs,
      timeoutMs,
      signal,
    }: { readonly waitMs: number; readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly events: readonly ElectionEvent[]; readonly cursor: string; readonly gap: boolean }> {
    type Event = Omit<ElectionEvent, "value"> & ValueRecord;
    const path = resourcePath(this.#space, "elections", name) + queryText({ after, waitMs });
    const answer = await this.#client.json<{ events: Event[]; cursor: string; gap: boolean }>({
      method: "GET",
      path,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(signal === undefined ? {} : { signal }),
    });
    const events = answer.events.map((event): ElectionEvent => {
      const { contentType: _, json: __, text: ___, base64: ____, ...facts } = event;
      const value = payloadOf(event);
      return value === undefined ? facts : { ...facts, value };
    });
    return { ...answer, events };
  }

  /** Ends what is under way, also what is left to be told behind a caller's back, and fires the signals of what is held; nothing is released. */
  close(): void {
    this.#closed = true;
    this.#holdings.close();
  }
}
