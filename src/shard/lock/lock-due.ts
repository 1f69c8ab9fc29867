import type { LockTable } from "../../locking/lock-table.ts";
import { endedGrantMs, forcedGrantMs } from "../../runtime/coordination-limits.ts";
import type { DueSource } from "../alarms.ts";
import type { SqlLockStore } from "./sql-lock-store.ts";

/** Old rows are removed many at a time. */
const collectEveryMs = 60_000;
/** How often steps of elections without a leader are looked for that are old: to find them is to look at all. */
const stepsEveryMs = 3_600_000;

/** What of the locks needs the alarm. `swept` outlives the ledger. */
export function lockDue(table: LockTable, store: SqlLockStore, swept: { atMs: number }): DueSource {
  const collectMs = (): number | undefined =>
    store.collectMs(endedGrantMs + collectEveryMs, forcedGrantMs + collectEveryMs, swept.atMs + stepsEveryMs);
  return {
    nextMs: () => earlier(table.nextDueMs(), collectMs()),
    run(nowMs) {
      table.expire(nowMs);
      const due = collectMs();
      if (due !== undefined && due <= nowMs && !table.collect(nowMs)) swept.atMs = nowMs;
    },
  };
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
