import { WarpError } from "../../errors.ts";
import type { LeaseEndAction } from "../../protocol/lease.ts";
import { isRefusal, type Refusal } from "../../protocol/shard-api.ts";
import type { Clock } from "../../runtime/clock.ts";
import { leaseEndChunk } from "../../runtime/coordination-limits.ts";
import type { Admission } from "../admission.ts";
import type { GroupCommit } from "../group-commit.ts";
import type { Ledger } from "../ledger.ts";
import { stale } from "../refusal.ts";
import type { Residence } from "../residence.ts";
import { LeaseEndOperation } from "../strong/lease-end-operation.ts";
import type { WritePath } from "../write-path.ts";

/** What the ends of leases need of their shard. */
export interface KeyEndsParts {
  readonly clock: Clock;
  readonly residence: Residence;
  readonly commit: GroupCommit;
  readonly path: WritePath;
  readonly admission: Pick<Admission, "behind">;
}

/**
 * Carries ends of leases out for the keys of this shard, chunk by chunk, each a commit or a strong write of its own that also takes the keys off the lease: what is left
 * after a crash is what is still to be done.
 */
export class KeyEnds {
  readonly #parts: KeyEndsParts;
  readonly #underWay = new Map<string, Promise<number>>();
  #begun = 0;

  constructor(parts: KeyEndsParts) {
    this.#parts = parts;
  }

  /**
   * Settles when no key of this shard is attached to the lease any more; gives how many there were. From its first commit on none is attached. Of a life of the
   * space that is not here there is nothing to do. Rejects where a commit fails: to be repeated.
   */
  end(id: string, onEnd: LeaseEndAction, spaceId: string): Promise<number> {
    const name = `${spaceId} ${id}`;
    let work = this.#underWay.get(name);
    if (work === undefined) {
      work = this.#run(id, onEnd, spaceId).finally(() => this.#underWay.delete(name));
      this.#underWay.set(name, work);
    }
    return work;
  }

  async #run(id: string, onEnd: LeaseEndAction, spaceId: string): Promise<number> {
    const { clock, commit, admission } = this.#parts;
    // Another shard tells of the end, perhaps before any call was let in: the storage is to hear of it all the same.
    await admission.behind.ready(this.#ledger(spaceId)?.space);
    const isHere = await commit.submit(() => {
      const ledger = this.#ledger(spaceId);
      ledger?.leases.close(id, clock.now());
      return ledger !== undefined;
    });
    if (!isHere) return 0;
    let count = 0;
    for (;;) {
      const keys = this.#ledger(spaceId)?.leases.attachments.page(id, undefined, leaseEndChunk) ?? [];
      if (keys.length === 0) return count;
      count += await this.#take(id, onEnd, keys, spaceId);
    }
  }

  async #take(id: string, onEnd: LeaseEndAction, keys: readonly string[], spaceId: string): Promise<number> {
    const reply = await this.#parts.path.take({
      operations: [new LeaseEndOperation(id, onEnd, keys, this.#begun++)],
      admit: (): Ledger | Refusal => this.#ledger(spaceId) ?? stale(),
      reply: (_ledger, [ended]) => ({ count: ended?.count ?? 0 }),
      writer: undefined,
      weight: keys.length,
    });
    if (isRefusal(reply)) throw WarpError.fromData(reply.refused);
    return reply.count;
  }

  /** Also where the space is being deleted: until that is done its copies are served. */
  #ledger(spaceId: string): Ledger | undefined {
    const ledger = this.#parts.residence.open();
    return ledger?.space.id === spaceId ? ledger : undefined;
  }
}
