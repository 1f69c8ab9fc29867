import type { LockTable } from "../../locking/lock-table.ts";
import type { ShardStamp } from "../../protocol/call-scope.ts";
import type { ObserveReply, ObserveRequest } from "../../protocol/lock.ts";

/** The steps of an election that `request` asks for, as they are in this stretch. */
export function observed(
  ledger: { readonly locks: LockTable; stamp(): ShardStamp },
  { name, after, epoch }: ObserveRequest,
): ObserveReply {
  const stamp = ledger.stamp();
  // A revision that is still to come is that of a storage that was set back.
  const isOfAnother =
    after !== undefined && ((epoch !== undefined && epoch !== stamp.epoch) || after > stamp.asOf);
  const { events, to, gap } = ledger.locks.steps(name, isOfAnother ? undefined : after);
  return { ...stamp, events, to, ...((gap || isOfAnother) && { gap: true as const }) };
}

/** Whether there is nothing to tell yet. */
export function isNothing({ events, gap }: ObserveReply): boolean {
  return events.length === 0 && gap !== true;
}
