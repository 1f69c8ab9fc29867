import { isWarpError, WarpError } from "../../errors.ts";
import { isLeaseId, shardOf } from "../../protocol/key.ts";
import type { CallScope } from "../../protocol/shard-api.ts";
import type { Timers } from "../../runtime/clock.ts";
import { leaseJoinTimeoutMs } from "../../runtime/coordination-limits.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Residence } from "../residence.ts";
import { askPeer, type LeasePeers } from "./peers.ts";

/** What joins need of their shard. */
export interface JoinsParts {
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly timers: Timers;
  readonly peers: LeasePeers;
}

/** Leases of which one call asks at a time. */
const asksAtOnce = 32;

/**
 * Before the first key of this shard is attached to a lease, the lease's home must know that there may be some (rules LS3, LS4): its answer, and a row here that says
 * so, come before the commit that attaches.
 */
export class Joins {
  readonly #parts: JoinsParts;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(parts: JoinsParts) {
    this.#parts = parts;
  }

  /** Joins what is not joined yet. Gives those whose home could not be asked, and why; whether one is live is for the commit to say. */
  async join(ids: Iterable<string>, scope: CallScope): Promise<ReadonlyMap<string, WarpError>> {
    const failures = new Map<string, WarpError>();
    const asked = [...new Set(ids)].filter((id) => this.#isMissing(id, scope));
    for (let at = 0; at < asked.length; at += asksAtOnce) {
      const some = asked.slice(at, at + asksAtOnce);
      const ends = await Promise.allSettled(some.map((id) => this.#once(id, scope)));
      for (const [index, end] of ends.entries()) {
        if (end.status === "fulfilled") continue;
        const error = WarpError.from(end.reason, "unavailable", "the lease's home can't be asked");
        failures.set(some[index] ?? "", error);
      }
    }
    return failures;
  }

  #isMissing(id: string, { shard }: CallScope): boolean {
    const ledger = this.#parts.residence.open();
    if (ledger === undefined || !isLeaseId(id) || shardOf(id, ledger.space.shards) === shard) return false;
    return !ledger.leases.attachments.isJoined(id) && !ledger.leases.attachments.isEnded(id);
  }

  #once(id: string, scope: CallScope): Promise<void> {
    const name = `${scope.spaceId} ${id}`;
    let work = this.#underWay.get(name);
    if (work === undefined) {
      work = this.#ask(id, scope).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, work);
    }
    return work;
  }

  async #ask(id: string, { space, shard, spaceId }: CallScope): Promise<void> {
    const { residence, commit, timers, peers } = this.#parts;
    const shards = residence.open()?.space.shards ?? 1;
    const home = shardOf(id, shards);
    try {
      await askPeer(timers, leaseJoinTimeoutMs, () =>
        peers(space, home).joinLease({ space, shard: home, spaceId, registrations: 0, id, member: shard }),
      );
    } catch (error) {
      // The commit says the same of each operation that wants it.
      if (isWarpError(error, "lease_not_found")) return;
      throw error;
    }
    await commit.submit(() => {
      const ledger = residence.open();
      // The end of the lease may have come here before the answer: then nothing is joined.
      if (ledger?.space.id === spaceId) ledger?.leases.attachments.join(id);
    });
  }
}
