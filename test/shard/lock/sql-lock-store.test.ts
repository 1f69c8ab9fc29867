import { host } from "#host";
import { ElapsedDeadlines } from "../../../src/shard/lock/elapsed-deadlines.ts";
import { SqlLockStore } from "../../../src/shard/lock/sql-lock-store.ts";
import { migrate } from "../../../src/shard/schema.ts";
import { lockStoreContract } from "../../contract/lock-store.ts";

lockStoreContract("SQL", (work) =>
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
  }),
);
