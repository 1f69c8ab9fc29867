import { type ErrorData, WarpError } from "../../errors.ts";
import type { LeaseCommand, LeaseInfo, LeaseVerdict } from "../../protocol/lease.ts";
import {
  checkLeaseCommand,
  leaseFull,
  leaseNotFound,
  leasePrint,
  leaseTaken,
  tooManyLeases,
} from "../../protocol/lease-rules.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import { leaseTombstoneMs, maxLeaseKeys, maxLeases } from "../../runtime/coordination-limits.ts";
import { steadyClock } from "../../runtime/steady-clock.ts";
import type { LeasedKeys } from "./leased-keys.ts";
import { MemoryLease } from "./memory-lease.ts";

/** What a {@link MemoryLeaseSpace} takes. */
export interface MemoryLeaseSpaceOptions {
  readonly clock: Clock;
  /** Time as it passes. Default: `clock`, kept from running backwards. */
  readonly elapsed?: Clock;
  readonly timers: Timers;
}

/**
 * Leases inside the process, over the storage that they are given to (`new MemoryStorage({ …, leases })`). Each end is one synchronous stretch: whoever
 * looks after it finds every key dealt with. Several drivers may stand on one.
 */
export class MemoryLeaseSpace {
  readonly #clock: Clock;
  readonly #elapsed: Clock;
  readonly #timers: Timers;
  readonly #leases = new Map<string, MemoryLease>();
  /** Ids of ended leases and until when they stay closed, oldest first. */
  readonly #ended = new Map<string, number>();
  readonly #listeners = new Set<(id: string) => void>();
  #storage: LeasedKeys | undefined;
  /** No lease is due before it, by the elapsed clock. */
  #nextMs = Number.POSITIVE_INFINITY;
  #users = 0;
  #stopTimer = (): void => {};

  constructor({ clock, elapsed = steadyClock(clock), timers }: MemoryLeaseSpaceOptions) {
    this.#clock = clock;
    this.#elapsed = elapsed;
    this.#timers = timers;
  }

  /** Called by the storage, once. Throws `invalid_argument` for a second one. */
  serve(storage: LeasedKeys): void {
    if (this.#storage !== undefined) {
      throw new WarpError("invalid_argument", "these leases are another storage's", {
        details: { field: "leases" },
      });
    }
    this.#storage = storage;
  }

  /** A driver begins to use it: leases end by themselves while anybody does, else when someone looks. The answer ends that. */
  use(listener: (id: string) => void): () => void {
    // Each use has its own entry, so that one function may listen twice.
    const entry = (id: string): void => listener(id);
    this.#listeners.add(entry);
    this.#users++;
    this.#arm();
    return () => {
      if (!this.#listeners.delete(entry)) return;
      this.#users--;
      if (this.#users === 0) this.#stopTimer();
    };
  }

  /** Carries out one command; a repeated op id gets its first verdict again. */
  run(command: LeaseCommand): LeaseVerdict {
    const nowMs = this.#clock.now();
    const refused = checkLeaseCommand(command, nowMs);
    if (refused !== undefined) return { outcome: "fail", error: refused.toData() };
    this.expire();
    const { verdicts } = this.#keys();
    const print = leasePrint(command);
    const known = verdicts.recall(command.opId, print);
    if (known !== undefined) return this.#again(known, command);
    const verdict = judged(() => this.#act(command));
    verdicts.keep(command.opId, { print, verdict }, nowMs);
    return verdict;
  }

  info(id: string): LeaseInfo | undefined {
    this.expire();
    return this.#leases.get(id)?.info(this.#elapsed.now());
  }

  /** At most `limit` live leases after the id `after`, in order of their ids. */
  list(after: string, limit: number): { readonly leases: readonly LeaseInfo[]; readonly more: boolean } {
    this.expire();
    const ids = [...this.#leases.keys()].filter((id) => id > after).sort();
    const nowMs = this.#elapsed.now();
    const leases = ids.slice(0, limit).flatMap((id) => this.#leases.get(id)?.info(nowMs) ?? []);
    return { leases, more: ids.length > limit };
  }

  /** Throws `lease_not_found`. */
  lease(id: string): MemoryLease {
    this.expire();
    const lease = this.#leases.get(id);
    if (lease === undefined) throw leaseNotFound();
    return lease;
  }

  /** Throws `lease_not_found`, `overloaded`. */
  check(id: string, key: string): void {
    const lease = this.lease(id);
    if (lease.keys.size >= maxLeaseKeys && !lease.keys.has(key)) throw leaseFull(maxLeaseKeys);
  }

  attach(id: string, key: string): void {
    this.lease(id).keys.add(key);
  }

  /** Ends what is due. */
  expire(): void {
    const nowMs = this.#elapsed.now();
    if (nowMs < this.#nextMs) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    const due: MemoryLease[] = [];
    for (const lease of this.#leases.values()) {
      if (lease.deadlineMs <= nowMs) due.push(lease);
      else this.#nextMs = Math.min(this.#nextMs, lease.deadlineMs);
    }
    for (const lease of due) this.#end(lease);
    this.#arm();
  }

  #act(command: LeaseCommand): LeaseVerdict {
    if (command.kind === "grant") return this.#grant(command);
    const lease = this.lease(command.id);
    const nowMs = this.#elapsed.now();
    switch (command.kind) {
      case "keepAlive":
        lease.renew(nowMs);
        return { outcome: "ok", remainingMs: lease.remainingMs(nowMs) };
      case "revoke":
        this.#end(lease);
        return { outcome: "ok" };
      case "attach":
        return { outcome: "ok", changed: this.#attachAll(lease, command.keys) };
      case "detach":
        return { outcome: "ok", changed: command.keys.filter((key) => lease.keys.delete(key)).length };
    }
  }

  #grant(command: Extract<LeaseCommand, { kind: "grant" }>): LeaseVerdict {
    const nowMs = this.#elapsed.now();
    this.#tidy(nowMs);
    if (this.#leases.has(command.id) || this.#ended.has(command.id)) throw leaseTaken();
    if (this.#leases.size >= maxLeases) throw tooManyLeases(maxLeases);
    const lease = new MemoryLease(command, Math.floor(this.#clock.now()), nowMs);
    this.#leases.set(command.id, lease);
    if (lease.deadlineMs < this.#nextMs) {
      this.#nextMs = lease.deadlineMs;
      this.#arm();
    }
    return { outcome: "ok", remainingMs: lease.remainingMs(nowMs) };
  }

  /** All keys or none. Gives how many were not attached before. */
  #attachAll({ keys }: MemoryLease, wanted: readonly string[]): number {
    const storage = this.#keys();
    const fresh = new Set(wanted.filter((key) => !keys.has(key)));
    for (const key of wanted) storage.check(key);
    if (keys.size + fresh.size > maxLeaseKeys) throw leaseFull(maxLeaseKeys);
    for (const key of fresh) keys.add(key);
    return fresh.size;
  }

  #end({ id, keys, onEnd }: MemoryLease): void {
    this.#leases.delete(id);
    this.#ended.set(id, this.#elapsed.now() + leaseTombstoneMs);
    this.#keys().ended(id, keys, onEnd);
    for (const listener of [...this.#listeners]) listener(id);
  }

  /** A repeated grant or keepAlive must not let its caller count from now what was left then. */
  #again(known: LeaseVerdict, { id }: LeaseCommand): LeaseVerdict {
    if (known.outcome === "fail" || known.remainingMs === undefined) return known;
    return { ...known, remainingMs: this.#leases.get(id)?.remainingMs(this.#elapsed.now()) ?? 0 };
  }

  #arm(): void {
    this.#stopTimer();
    if (this.#users === 0 || this.#nextMs === Number.POSITIVE_INFINITY) return;
    this.#stopTimer = this.#timers.after(Math.max(0, this.#nextMs - this.#elapsed.now()), () =>
      this.expire(),
    );
  }

  #tidy(nowMs: number): void {
    for (const [id, untilMs] of this.#ended) {
      if (untilMs > nowMs) return;
      this.#ended.delete(id);
    }
  }

  #keys(): LeasedKeys {
    if (this.#storage !== undefined) return this.#storage;
    throw new WarpError("unsupported", "these leases were given to no storage");
  }
}

/** What `work` gives; what it refuses becomes a verdict. */
function judged(work: () => LeaseVerdict): LeaseVerdict {
  try {
    return work();
  } catch (error) {
    if (error instanceof WarpError) return { outcome: "fail", error: error.toData() satisfies ErrorData };
    throw error;
  }
}
