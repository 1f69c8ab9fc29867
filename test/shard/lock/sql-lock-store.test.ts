import { describe, it } from "vitest";
import { host } from "#host";
import { ElapsedDeadlines } from "../../../src/shard/lock/elapsed-deadlines.ts";
import { SqlLockStore } from "../../../src/shard/lock/sql-lock-store.ts";
import { migrate } from "../../../src/shard/schema.ts";
import { type LockStoreBed, lockStoreContract } from "../../contract/lock-store.ts";
import { runModel } from "../../locking/lock-pair.ts";

function withStore(work: (bed: LockStoreBed) => void): void {
  host.withSql((sql) => {
    migrate(sql);
    let nowMs = 0;
    const clock = { now: () => nowMs };
    let revision = 0;
    const store = new SqlLockStore({
      sql,
      reserve: () => ++revision,
      floor: { stepFloor: 0 },
      deadlines: new ElapsedDeadlines(clock, clock),
    });
    work({
      store,
      moveTo: (atMs) => {
        nowMs = atMs;
      },
    });
  });
}

lockStoreContract("SQL", withStore);

describe("lock table in a database", () => {
  it("LK1 LK2 LK5 LK8 LK9 LK13 does what the model does, seeds 1 to 10", () => {
    for (let seed = 1; seed <= 10; seed++) withStore((bed) => runModel(seed, 120, bed));
  });
});
