import type { LockGrant, LockStore, LockWaiter } from "../../../src/locking/lock-store.ts";
import { nodeSql } from "../../../src/platform/node.ts";
import type { Sql } from "../../../src/runtime/sql.ts";
import { ElapsedDeadlines } from "../../../src/shard/lock/elapsed-deadlines.ts";
import { SqlLockStore } from "../../../src/shard/lock/sql-lock-store.ts";
import { apply, type Disk, type Durable } from "../world/disk.ts";

/** How a name stands in the storage. */
export interface LockState {
  readonly live: readonly LockGrant[];
  readonly queue: readonly LockWaiter[];
  readonly closedUntilMs: number | undefined;
}

/** What one transaction made of one name. */
export interface LockStep {
  readonly shard: number;
  readonly name: string;
  /** Its place among the transactions of the storage. */
  readonly place: number;
  readonly at: Durable;
  readonly before: LockState;
  readonly after: LockState;
  /** Grants that were live before and are no more, as they ended. */
  readonly ended: readonly LockGrant[];
  /** Grants that were not there before. */
  readonly given: readonly LockGrant[];
}

const all = 100_000;

/** Reads a storage's transactions again, one by one, and tells what each made of the names; `place` and revision of log entries by the way. */
export function lockSteps(
  disk: Pick<Disk, "transactions">,
  shard: number,
  names: readonly string[],
): readonly LockStep[] {
  const sql = nodeSql();
  const steps: LockStep[] = [];
  const last = new Map<string, { readonly state: LockState; readonly text: string }>();
  let newest = 0;
  try {
    for (const [place, at] of disk.transactions.entries()) {
      for (const write of at.writes) apply(sql, write);
      if (!at.writes.some((write) => "query" in write && /\blocks\b|\block_/.test(write.query))) continue;
      if (sql.all("SELECT 1 FROM sqlite_master WHERE name = 'locks'").length === 0) continue;
      const store = open(sql);
      // Also those that ended in the very transaction that gave them.
      const added = sql
        .all<{ fence: number }>("SELECT fence FROM locks WHERE fence > ? ORDER BY fence", newest)
        .flatMap(({ fence }) => store.grant(fence) ?? []);
      newest = added.at(-1)?.fence ?? newest;
      for (const name of names) {
        const after = stateOf(store, name);
        const text = JSON.stringify(after);
        const before = last.get(name);
        const given = added.filter((grant) => grant.name === name);
        if (before?.text === text && given.length === 0) continue;
        last.set(name, { state: after, text });
        const fences = new Set(after.live.map(({ fence }) => fence));
        const ended = [...(before?.state.live ?? []), ...given]
          .filter(({ fence }) => !fences.has(fence))
          .map((grant) => store.grant(grant.fence) ?? grant);
        steps.push({ shard, name, place, at, before: before?.state ?? nobody, after, ended, given });
      }
    }
  } finally {
    sql.close();
  }
  return steps;
}

const nobody: LockState = { live: [], queue: [], closedUntilMs: undefined };

function stateOf(store: LockStore, name: string): LockState {
  return {
    live: store.live(name, all),
    queue: store.queue(name, 0, all),
    closedUntilMs: store.delayOf(name),
  };
}

/** The rows as the shard reads them. */
function open(sql: Sql): LockStore {
  const reserve = (): number => {
    throw new Error("who only looks takes no revision");
  };
  const still = { now: () => 0 };
  return new SqlLockStore({
    sql,
    reserve,
    floor: { stepFloor: 0 },
    deadlines: new ElapsedDeadlines(still, still),
  });
}
