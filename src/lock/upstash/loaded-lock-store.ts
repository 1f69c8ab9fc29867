import type { LockGrant } from "../../locking/lock-store.ts";
import { MemoryLockStore } from "../../locking/memory-lock-store.ts";
import type { ElectionEvent } from "../../protocol/lock.ts";
import { keptEndedGrants } from "../../runtime/upstash-limits.ts";
import type { DatedStep, LockRows } from "./lock-rows.ts";

/** A lock table's rows of a few names: as they were read, and what becomes of them. */
export class LoadedLockStore extends MemoryLockStore {
  readonly #grants = new Map<string, Map<number, LockGrant>>();
  readonly #steps = new Map<string, DatedStep[]>();
  readonly #floors = new Map<string, number>();

  constructor(names: Iterable<readonly [string, LockRows]>, reserve: () => number) {
    super(reserve);
    for (const [name, rows] of names) {
      this.#floors.set(name, rows.stepFloor);
      for (const grant of rows.grants) this.putGrant(grant);
      for (const waiter of rows.waiters) this.putWaiter(waiter);
      if (rows.closedUntilMs !== undefined) this.setDelay(name, rows.closedUntilMs);
      for (const { event, atMs } of rows.steps) this.addEvent(name, event, atMs);
    }
  }

  /** What is to be kept of a name: of its ended grants the newest. */
  rows(name: string): LockRows {
    const known = [...(this.#grants.get(name)?.values() ?? [])].filter(
      ({ fence }) => this.grant(fence) !== undefined,
    );
    const live = known.filter(({ ended }) => ended === undefined).sort((a, b) => a.fence - b.fence);
    const ended = known
      .filter((grant) => grant.ended !== undefined)
      .sort((a, b) => (a.ended?.atMs ?? 0) - (b.ended?.atMs ?? 0) || a.fence - b.fence);
    const forced = this.lastForced(name)?.fence;
    const kept = ended.filter(({ fence }, at) => at >= ended.length - keptEndedGrants || fence === forced);
    const { events, floor } = this.events(name, 0);
    const times = new Map(this.#steps.get(name)?.map(({ event, atMs }) => [event.revision, atMs]));
    return {
      grants: [...live, ...kept],
      waiters: this.queue(name, 0, Number.POSITIVE_INFINITY).toSorted((a, b) => a.arrived - b.arrived),
      closedUntilMs: this.delayOf(name),
      steps: events.map((event) => ({ event, atMs: times.get(event.revision) ?? 0 })),
      stepFloor: floor,
    };
  }

  override putGrant(grant: LockGrant): void {
    super.putGrant(grant);
    const grants = this.#grants.get(grant.name);
    if (grants === undefined) this.#grants.set(grant.name, new Map([[grant.fence, grant]]));
    else grants.set(grant.fence, grant);
  }

  override addEvent(name: string, event: ElectionEvent, atMs: number): void {
    super.addEvent(name, event, atMs);
    const steps = this.#steps.get(name);
    if (steps === undefined) this.#steps.set(name, [{ event, atMs }]);
    else steps.push({ event, atMs });
  }

  override events(name: string, after: number): { events: ElectionEvent[]; floor: number } {
    const { events, floor } = super.events(name, after);
    return { events, floor: Math.max(floor, this.#floors.get(name) ?? 0) };
  }
}
