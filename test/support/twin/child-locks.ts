import { setTimeout as sleep } from "node:timers/promises";
import { isWarpError, WarpError } from "../../../src/errors.ts";
import type { Lease } from "../../../src/locking/lease-handle.ts";
import type { Lock } from "../../../src/locking/lock-handle.ts";
import type { connectWarp } from "../../../src/presets/node.ts";
import type { LockCommand, LockVerdict } from "../../../src/protocol/lock.ts";
import { newOpId } from "../http-client.ts";
import { type GrantRef, type LeaseCall, type LockCall, type Locked, machineMs } from "./lock-calls.ts";

/** What was seen of one owner's wait. */
interface Wait {
  readonly tickets: Set<string>;
  awayMs: number;
  /** Since when no question of it stands at the server. */
  goneMs: number | undefined;
  troubled: boolean;
}

/** The handles of a Node process of the twin. */
export class ChildLocks {
  readonly #warp: ReturnType<typeof connectWarp>;
  readonly #held = new Map<string, Lock>();
  readonly #lostMs = new Map<Lock, number>();
  readonly #leases = new Map<string, Lease>();
  readonly #waits = new Map<string, Wait>();
  #watched = false;

  constructor(warp: ReturnType<typeof connectWarp>) {
    this.#warp = warp;
  }

  async lock(call: LockCall): Promise<object> {
    if (call.do === "lock") return await this.#acquire(call);
    const { grant } = call;
    const lock = this.#held.get(idOf(grant));
    if (lock === undefined) throw new Error(`${idOf(grant)} is not held here`);
    switch (call.do) {
      case "unlock": {
        const held = await lock.release({ timeoutMs: 30_000 });
        this.#held.delete(idOf(grant));
        this.#lostMs.delete(lock);
        return { ok: true, held };
      }
      case "renew":
        await lock.renew({ timeoutMs: 30_000 });
        return { ok: true, validMs: machineMs() + lock.remainingMs() };
      case "confirm":
        await lock.confirm({ timeoutMs: 30_000 });
        return { ok: true };
      case "belief": {
        const { aborted, reason } = lock.signal;
        const why = reason instanceof WarpError ? String(reason.details?.reason) : undefined;
        return {
          ok: true,
          lost: aborted,
          lostMs: this.#lostMs.get(lock),
          reason: why,
          remainingMs: lock.remainingMs(),
        };
      }
    }
  }

  async lease(call: LeaseCall): Promise<object> {
    const timeoutMs = 30_000;
    switch (call.do) {
      case "grant": {
        const { ttlMs, onEnd, autoRenew = false } = call;
        const lease = await this.#warp.lease({ ttlMs, onEnd, autoRenew, timeoutMs });
        this.#leases.set(lease.id, lease);
        return { ok: true, id: lease.id };
      }
      case "attach": {
        const { id, keys } = call;
        const command = { kind: "attach", opId: newOpId(), id, keys } as const;
        const [verdict] = await this.#warp.leases.driver.run([command], { timeoutMs });
        if (verdict === undefined) throw new Error("a command got no verdict");
        if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
        return { ok: true, changed: verdict.changed };
      }
      case "keepAlive": {
        const left = (await this.#warp.leases.keepAlive([call.id], { timeoutMs })).get(call.id);
        if (left === undefined) throw new WarpError("lease_not_found", "it has ended");
        return { ok: true, remainingMs: left };
      }
      case "revoke": {
        // Whose fate is not known is asked for again under the same op id, which waits on.
        const opId = newOpId();
        for (const untilMs = machineMs() + 60_000; ; await sleep(100)) {
          try {
            await this.#warp.leases.revoke(call.id, { timeoutMs, opId });
            return { ok: true };
          } catch (error) {
            if (!isWarpError(error) || (error.outcome === "fail" && !error.retryable)) throw error;
            if (machineMs() > untilMs) throw error;
          }
        }
      }
    }
  }

  async #acquire(call: LockCall & { do: "lock" }): Promise<object> {
    const { do: _, name, giveUpMs, autoRenew = false, ...options } = call;
    this.#watch();
    const wait: Wait = { tickets: new Set(), awayMs: 0, goneMs: undefined, troubled: false };
    this.#waits.set(options.owner, wait);
    const askedMs = machineMs();
    try {
      const lock = await this.#warp.lock(name, {
        ...options,
        autoRenew,
        timeoutMs: 30_000,
        ...(giveUpMs === undefined ? {} : { signal: AbortSignal.timeout(giveUpMs) }),
      });
      const heldMs = machineMs();
      this.#held.set(idOf(lock), lock);
      lock.signal.addEventListener("abort", () => this.#lostMs.set(lock, machineMs()));
      const { tickets, awayMs } = wait;
      const ticket = [...tickets].at(-1);
      return {
        ok: true,
        fence: lock.fence,
        askedMs,
        heldMs,
        validMs: heldMs + lock.remainingMs(),
        awayMs,
        places: tickets.size,
        ...(ticket === undefined ? {} : { ticket }),
      } satisfies Locked;
    } finally {
      this.#waits.delete(options.owner);
    }
  }

  /** Handles don't tell their places: those are seen on their way. */
  #watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    const { driver } = this.#warp.locks;
    const run = driver.run.bind(driver);
    const wait = driver.wait.bind(driver);
    driver.run = async (commands, options) => {
      const verdicts = await run(commands, options).catch((error: unknown) => {
        // It may stand in the queue since, without a session.
        for (const command of commands) {
          const seen = command.kind === "acquire" ? this.#waits.get(command.owner) : undefined;
          if (seen !== undefined && !seen.troubled) {
            seen.goneMs = machineMs();
            seen.troubled = true;
          }
        }
        throw error;
      });
      for (const [at, command] of commands.entries()) this.#seen(command, verdicts[at]);
      return verdicts;
    };
    driver.wait = async (place, options) => {
      const seen = this.#waits.get(place.owner);
      if (seen === undefined) return await wait(place, options);
      try {
        // After trouble a short question comes first: its answer tells how long nobody had heard of this waiter.
        let verdict = await wait(seen.troubled ? { ...place, waitMs: 0 } : place, options);
        if (seen.troubled) {
          seen.awayMs = Math.max(seen.awayMs, machineMs() - (seen.goneMs ?? 0));
          seen.troubled = false;
          if (verdict.outcome === "ok" && verdict.state === "waiting") verdict = await wait(place, options);
        }
        seen.goneMs = machineMs();
        return verdict;
      } catch (error) {
        if (!seen.troubled) seen.goneMs = machineMs();
        seen.troubled = true;
        throw error;
      }
    };
  }

  #seen(command: LockCommand, verdict: LockVerdict | undefined): void {
    if (command.kind === "force" || verdict === undefined) return;
    const seen = this.#waits.get(command.owner);
    if (seen === undefined) return;
    if (command.kind === "claim" && verdict.outcome === "fail") {
      // It was offered to the next, since this one was too late.
      seen.awayMs = Number.MAX_SAFE_INTEGER;
    }
    if (
      command.kind === "acquire" &&
      verdict.outcome === "ok" &&
      verdict.state !== "ended" &&
      verdict.state !== "held"
    ) {
      seen.tickets.add(verdict.ticket);
      if (!seen.troubled) seen.goneMs = machineMs();
    }
  }
}

function idOf({ name, fence }: Pick<GrantRef, "name" | "fence">): string {
  return `${name}/${fence}`;
}
