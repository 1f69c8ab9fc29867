import { WarpError } from "../../errors.ts";
import type { LockCommand, LockInfo, LockVerdict } from "../../protocol/lock.ts";
import { checkLockCount, checkLockName, checkLockPlace, checkLockPoll } from "../../protocol/lock-rules.ts";
import { parseCursor } from "../../protocol/position.ts";
import { type CallLimits, checkCallLimits } from "../../runtime/call-limits.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import type { Random } from "../../runtime/random.ts";
import { lockLookBaseMs, lockLookCapMs, lockLookMs } from "../../runtime/upstash-limits.ts";
import { CallBudget } from "../../upstash/call-budget.ts";
import type { UpstashOptions } from "../../upstash/upstash-options.ts";
import { UpstashRedis } from "../../upstash/upstash-redis.ts";
import type { LockPage, Locks, LocksSupports, ObservedElection } from "../lock.ts";
import { lockPageCursor, resolveLockList } from "../pages.ts";
import { type LockDocument, LockDocuments } from "./lock-documents.ts";
import { observedAt, type StepCursor } from "./observed.ts";
import { type LocksNow, UpstashLockSpace } from "./upstash-lock-space.ts";

/** What locks in Upstash are made of. */
export type UpstashLocksOptions = (
  | UpstashOptions
  /** One database for several spaces or drivers. It is not closed with the locks. */
  | { readonly redis: UpstashRedis; readonly timers: Timers; readonly random: Random }
) & {
  /** 1 to 64 of `a-z 0-9 . _ -`. All keys in Redis begin with `warp:{space}:`. */
  readonly space: string;
  /** This node's: how long a call has waited is judged by it. */
  readonly clock: Clock;
  /** Whose time ends grants: Redis's own (default), or this node's, for tests and where all nodes are one machine. */
  readonly time?: "server" | "node";
};

const supports: LocksSupports = Object.freeze({
  exclusive: false,
  durable: true,
  shared: true,
  fair: true,
  sessions: false,
  elections: true,
});

/** Names of one page of a list that are asked for at a time. */
const namesAtOnce = 50;

/**
 * Locks in Upstash Redis: best effort, since Redis may lose what it has acknowledged. All kinds, queues and elections; whoever waits asks again and again. See `docs/upstash.md`
 * for what they promise and cost. Throws `invalid_argument`, `invalid_space`.
 */
export function upstashLocks(options: UpstashLocksOptions): Locks {
  return new UpstashLocks(options);
}

type Place = Parameters<Locks["wait"]>[0];

class UpstashLocks implements Locks {
  readonly supports = supports;
  readonly #redis: UpstashRedis;
  readonly #ownsRedis: boolean;
  readonly #space: UpstashLockSpace;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #closing = new AbortController();

  constructor(options: UpstashLocksOptions) {
    const { space, clock, timers, random, time = "server" } = options;
    this.#ownsRedis = !("redis" in options);
    this.#redis = "redis" in options ? options.redis : new UpstashRedis(options);
    this.#clock = clock;
    this.#timers = timers;
    const whose = time === "node" ? clock : undefined;
    const documents = new LockDocuments({ redis: this.#redis, space, random, time: whose });
    this.#space = new UpstashLockSpace({ documents, timers, random });
  }

  async run(commands: readonly LockCommand[], options?: CallLimits): Promise<readonly LockVerdict[]> {
    this.#begin(options);
    checkLockCount(commands.length);
    return await this.#whileOpen(this.#space.run(commands, this.#budget(options)), "unknown");
  }

  async wait(place: Place, options?: CallLimits): Promise<LockVerdict> {
    this.#begin(options);
    checkLockPlace(place);
    return await this.#whileOpen(this.#wait(place, options));
  }

  async info(name: string, options?: CallLimits): Promise<LockInfo> {
    this.#begin(options);
    checkLockName(name);
    const look = ({ table, nowMs }: LocksNow): LockInfo => table.info(name, nowMs);
    return await this.#whileOpen(this.#look([name], look, this.#budget(options)));
  }

  async list(
    options: CallLimits & {
      readonly prefix?: string;
      readonly limit?: number;
      readonly cursor?: string;
    } = {},
  ): Promise<LockPage> {
    this.#begin(options);
    const { prefix, limit, after = "" } = resolveLockList(options);
    return await this.#whileOpen(this.#list(prefix, after, limit, this.#budget(options)));
  }

  async observe(
    name: string,
    options: CallLimits & { readonly cursor?: string; readonly waitMs: number },
  ): Promise<ObservedElection> {
    this.#begin(options);
    checkLockName(name);
    checkLockPoll(options.waitMs);
    const since = options.cursor === undefined ? undefined : parseCursor(options.cursor);
    return await this.#whileOpen(this.#observe(name, since, options));
  }

  /** Nobody tells: who holds a lock asks by `confirm` or `renew`. */
  onEnd(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    if (this.#ownsRedis) this.#redis.close();
  }

  async #wait(place: Place, options: CallLimits | undefined): Promise<LockVerdict> {
    const { name, waitMs } = place;
    // Nothing of it is harmed by being done twice: a place is kept alive, and what is due has ended.
    const first = await this.#space.stretch(
      { names: [name], writes: true },
      (now) => seenBy(now, now.table.poll(place, waitMs, now.nowMs)),
      "read",
      this.#limits(options),
    );
    const look = async (known: LockDocument | undefined) =>
      await this.#space.stretch(
        { names: [name], writes: false, known },
        (now) => seenBy(now, now.table.standing(place, now.nowMs)),
        "read",
        this.#limits(options),
      );
    let { result, read } = first;
    await this.#again(waitMs, options, async (sleep) => {
      const { verdict, dueInMs } = result;
      if (verdict.outcome === "fail" || verdict.state !== "waiting") return false;
      if (!(await sleep(dueInMs, lockLookMs * verdict.position))) return false;
      ({ result, read } = await look(read.documents.get(name)));
      return true;
    });
    return result.verdict;
  }

  async #observe(
    name: string,
    since: StepCursor | undefined,
    options: CallLimits & { readonly waitMs: number },
  ): Promise<ObservedElection> {
    const see = (now: LocksNow) => ({ seen: observedAt(now, name, since), ...dueOf(now) });
    const look = async (writes: boolean) =>
      await this.#space.stretch({ names: [name], writes }, see, "read", this.#limits(options));
    let found = await look(false);
    // A space that nobody has used has no epoch yet, and a cursor takes one.
    if (found.read.epoch === "") found = await look(true);
    await this.#again(options.waitMs, options, async (sleep) => {
      const { seen, dueInMs } = found.result;
      if (seen.events.length > 0 || seen.gap) return false;
      if (!(await sleep(dueInMs, lockLookMs))) return false;
      found = await look(false);
      return true;
    });
    return found.result.seen;
  }

  /** Calls `round` until it says no. Its sleeps get longer up to what it names, end when something is due, and say no when `waitMs` are over. */
  async #again(
    waitMs: number,
    options: CallLimits | undefined,
    round: (sleep: (dueInMs: number, mostMs: number) => Promise<boolean>) => Promise<boolean>,
  ): Promise<void> {
    const startMs = this.#clock.now();
    // The clock may be set back: what was slept is over all the same.
    let sleptMs = 0;
    let backoffMs = lockLookBaseMs;
    const sleep = async (dueInMs: number, mostMs: number): Promise<boolean> => {
      const leftMs = waitMs - Math.max(sleptMs, this.#clock.now() - startMs);
      if (leftMs <= 0) return false;
      const ms = Math.min(backoffMs, leftMs, Math.max(1, Math.ceil(dueInMs)));
      await this.#sleep(ms, options?.signal);
      sleptMs += ms;
      backoffMs = Math.min(backoffMs * 2, mostMs, lockLookCapMs);
      return true;
    };
    while (await round(sleep));
  }

  async #list(prefix: string, after: string, limit: number, budget: CallBudget): Promise<LockPage> {
    const locks: LockInfo[] = [];
    for (let from = after; ; ) {
      const names = await this.#space.names(prefix, from, namesAtOnce, budget.next());
      if (names.length === 0) return { locks, cursor: undefined };
      const look = ({ table, nowMs }: LocksNow) => table.list("", undefined, names.length, nowMs).locks;
      for (const lock of await this.#look(names, look, budget)) {
        if (locks.length === limit) {
          return { locks, cursor: lockPageCursor(locks.at(-1)?.name ?? "", prefix) };
        }
        locks.push(lock);
      }
      from = names.at(-1) ?? from;
    }
  }

  async #look<T>(names: readonly string[], look: (now: LocksNow) => T, budget: CallBudget): Promise<T> {
    const { result } = await this.#space.stretch({ names, writes: false }, look, "read", () => budget.next());
    return result;
  }

  #budget(limits: CallLimits | undefined): CallBudget {
    return new CallBudget(this.#clock, limits, this.#redis.timeoutMs);
  }

  /** Of each request of a call that waits. */
  #limits(limits: CallLimits | undefined): () => CallLimits {
    return () => ({ timeoutMs: this.#redis.timeoutMs, ...limits });
  }

  #begin(limits: CallLimits | undefined): void {
    if (this.#closing.signal.aborted) throw closed("fail");
    checkCallLimits(limits);
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel();
        for (const one of signals) one.removeEventListener("abort", giveUp);
      };
      const giveUp = (): void => {
        end();
        reject(new WarpError("aborted", "the caller gave up", { cause: signal?.reason }));
      };
      const wake = (): void => {
        end();
        resolve();
      };
      const cancel = this.#timers.after(ms, wake, { awaited: true });
      for (const one of signals) one.addEventListener("abort", giveUp, { once: true });
      if (signals.some(({ aborted }) => aborted)) giveUp();
    });
  }

  /** A call ends when the driver is closed. What a command of it does is then unknown. */
  #whileOpen<T>(call: Promise<T>, outcome: "fail" | "unknown" = "fail"): Promise<T> {
    const { signal } = this.#closing;
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(closed(outcome));
      signal.addEventListener("abort", giveUp, { once: true });
      call.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
    });
  }
}

/** In how many ms something of a stretch's names is due. */
function dueOf({ table, nowMs }: LocksNow): { readonly dueInMs: number } {
  return { dueInMs: (table.nextDueMs() ?? Number.POSITIVE_INFINITY) - nowMs };
}

function seenBy(now: LocksNow, verdict: LockVerdict): { verdict: LockVerdict; dueInMs: number } {
  return { verdict, ...dueOf(now) };
}

function closed(outcome: "fail" | "unknown"): WarpError {
  return new WarpError("warp_closed", "these locks are closed", { outcome });
}
