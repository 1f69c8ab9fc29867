import { host } from "#host";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { shardLocks } from "../../src/lock/shard/shard-locks.ts";
import { MergeRules } from "../../src/merge/merge-rules.ts";
import { adapterContract } from "../contract/adapter.ts";
import { directConnection } from "../support/direct-connection.ts";
import { ManualTime } from "../support/manual-time.ts";
import { lockCalls } from "../support/real-locks.ts";
import { seeded } from "../support/seeded.ts";
import { ShardBed } from "../support/shard-bed.ts";

adapterContract({
  name: "shard",
  supports: {
    storage: true,
    atomicBatch: false,
    changes: true,
    registrations: true,
    persistent: true,
    history: true,
    claims: true,
    transactions: true,
    merge: true,
    quorum: true,
    leases: true,
    fences: true,
  },
  firstWriteCreates: true,
  run: (work, { strict = false, merges, ...options } = {}) =>
    host.withSql(async (sql) => {
      const time = new ManualTime();
      const bed = new ShardBed(sql, {
        clock: time,
        timers: time,
        merges: new MergeRules(merges),
        ...options,
      });
      if (strict) await bed.create({ strict });
      const client = () =>
        new SpaceClient({ connection: directConnection("test", () => bed.shard), timers: time });
      const open = () => shardAdapter(client());
      const random = seeded(1);
      const node = shardLocks({ client: client() });
      const locks = lockCalls(async (command) => (await node.run([command]))[0], time, random);
      await work({ time, random, open, locks });
    }),
});
