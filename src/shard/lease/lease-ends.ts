import { shardOf } from "../../protocol/key.ts";
import type { Clock, Timers } from "../../runtime/clock.ts";
import {
  leaseEndTimeoutMs,
  leaseRetryBaseMs,
  leaseRetryCapMs,
  leaseWatchMs,
} from "../../runtime/coordination-limits.ts";
import type { DueSource } from "../alarms.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Ledger } from "../ledger.ts";
import type { Residence } from "../residence.ts";
import type { KeyEnds } from "./key-ends.ts";
import type { LeaseRow } from "./lease-table.ts";
import { askPeer, type LeasePeers } from "./peers.ts";

/** What ends need of the home's shard. */
export interface LeaseEndsParts {
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly peers: LeasePeers;
  readonly keys: KeyEnds;
}

/** An end that this instance knows of. */
interface Carried {
  /** When it is to be looked at again. */
  retryAtMs: number;
  tries: number;
  /** It is under way, or waits for its turn. */
  isBusy: boolean;
  readonly waiters: (() => void)[];
}

/** Ends that are read in one stretch, and that are carried at a time. */
const endsPerStretch = 1_000;
const endsAtOnce = 64;

/**
 * Carries the ends of leases whose home this shard is to every shard that may have keys of them, until all have confirmed (rule LS4). What is to be done stands in the
 * database; the alarm brings it back after a crash, and after a shard that could not be reached.
 */
export class LeaseEnds implements DueSource {
  readonly #parts: LeaseEndsParts;
  readonly #carried = new Map<string, Carried>();
  #queue: string[] = [];
  #active = 0;
  /** Whether ends may stand in the database that this instance has not begun: those of an instance before, at first. */
  #isUnread = true;

  constructor(parts: LeaseEndsParts) {
    this.#parts = parts;
  }

  /** A lease has ended in the stretch that is under way: begins to carry that out once it is durable. */
  begin(id: string, nowMs: number): void {
    if (this.#carried.has(id)) return;
    this.#start(id, nowMs);
  }

  /** Settles when the end of a lease has been carried out everywhere, or there is nothing left of its space here. */
  done(id: string): Promise<void> {
    const carried = this.#carried.get(id) ?? this.#start(id, this.#parts.clock.now());
    return new Promise((resolve) => {
      carried.waiters.push(resolve);
    });
  }

  /** The space is gone, and with it all that was to be carried out: no alarm will come back to it. */
  wiped(): void {
    const all = [...this.#carried.values()];
    this.#carried.clear();
    this.#queue = [];
    for (const { waiters } of all) for (const waiter of waiters) waiter();
  }

  nextMs(): number | undefined {
    if (this.#parts.residence.open()?.leases.table.isAnyEnded !== true) return undefined;
    if (this.#isUnread) return Math.floor(this.#parts.clock.now());
    let next: number | undefined;
    for (const { retryAtMs } of this.#carried.values()) {
      if (next === undefined || retryAtMs < next) next = retryAtMs;
    }
    return next;
  }

  run(nowMs: number): void {
    if (this.#isUnread) {
      const ended = this.#parts.residence.open()?.leases.table.ended(endsPerStretch) ?? [];
      this.#isUnread = false;
      for (const { id } of ended) this.begin(id, nowMs);
    }
    for (const [id, carried] of this.#carried) {
      if (carried.retryAtMs > nowMs) continue;
      carried.retryAtMs =
        Math.floor(nowMs) + Math.min(leaseRetryBaseMs * 2 ** carried.tries, leaseRetryCapMs);
      carried.tries++;
      if (!carried.isBusy) this.#enqueue(id, carried);
    }
  }

  #start(id: string, nowMs: number): Carried {
    const carried = { retryAtMs: Math.floor(nowMs) + leaseWatchMs, tries: 0, isBusy: false, waiters: [] };
    this.#carried.set(id, carried);
    this.#enqueue(id, carried);
    return carried;
  }

  #enqueue(id: string, carried: Carried): void {
    carried.isBusy = true;
    this.#queue.push(id);
    this.#pump();
  }

  #pump(): void {
    while (this.#active < endsAtOnce && this.#queue.length > 0) {
      const [id = ""] = this.#queue.splice(0, 1);
      const carried = this.#carried.get(id);
      if (carried !== undefined) void this.#carry(id, carried);
    }
  }

  /** One attempt to carry an end to all that have not confirmed it. Never rejects: what fails is tried again. */
  async #carry(id: string, carried: Carried): Promise<void> {
    this.#active++;
    try {
      if (await this.#attempt(id)) {
        this.#carried.delete(id);
        for (const waiter of carried.waiters) waiter();
      }
    } catch {
      // A commit that failed: the rows say what is left to do, and the alarm comes back to it.
    } finally {
      carried.isBusy = false;
      this.#active--;
      // More than were read at once may have stood there.
      if (this.#carried.size === 0) this.#isUnread = true;
      this.#pump();
    }
  }

  /** Whether there is nothing left to do. */
  async #attempt(id: string): Promise<boolean> {
    const { commit, clock } = this.#parts;
    // A commit of its own: what it finds is durable, and nobody was told before.
    const found = await commit.submit(() => this.#find(id));
    if (found === undefined) return true;
    const { row, members, ledger } = found;
    const ends = await Promise.allSettled(members.map((member) => this.#tell(row, member, ledger)));
    return await commit.submit(() => {
      const present = this.#parts.residence.open();
      if (present?.space.id !== ledger.space.id) return true;
      const { leases } = present;
      for (const [at, member] of members.entries()) {
        if (ends[at]?.status === "fulfilled") leases.table.removeMember(id, member);
      }
      if (leases.table.members(id).length > 0) return false;
      leases.forget(id, clock.now());
      return true;
    });
  }

  #find(id: string): { row: LeaseRow; members: readonly number[]; ledger: Ledger } | undefined {
    const ledger = this.#parts.residence.open();
    const row = ledger?.leases.table.get(id);
    // Its transaction was undone, or all of it is gone.
    if (ledger === undefined || row?.endedAtMs === undefined) return undefined;
    return { row, members: ledger.leases.table.members(id), ledger };
  }

  async #tell({ id, onEnd }: LeaseRow, member: number, { space }: Ledger): Promise<void> {
    const { keys, timers, peers } = this.#parts;
    if (member === shardOf(id, space.shards)) {
      await keys.end(id, onEnd, space.id);
      return;
    }
    const scope = { space: space.name, shard: member, spaceId: space.id, registrations: 0 };
    await askPeer(timers, leaseEndTimeoutMs, () =>
      peers(space.name, member).endLease({ ...scope, id, onEnd }),
    );
  }
}
