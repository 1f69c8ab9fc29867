import { host } from "#host";
import { shardAdapter } from "../../src/adapter/shard/shard-adapter.ts";
import { SpaceClient } from "../../src/connection/space-client.ts";
import { MergeRules } from "../../src/merge/merge-rules.ts";
import type { ShardOptions } from "../../src/shard/shard.ts";
import { adapterContract } from "../contract/adapter.ts";
import { directConnection } from "../support/direct-connection.ts";
import { HeldByTest } from "../support/held-locks.ts";
import { ManualTime } from "../support/manual-time.ts";
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
      const locks = new HeldByTest();
      const bed = new ShardBed(sql, {
        clock: time,
        timers: time,
        merges: new MergeRules(merges),
        locks,
        ...options,
      } as Partial<ShardOptions>);
      if (strict) await bed.create({ strict });
      const open = () =>
        shardAdapter(
          new SpaceClient({ connection: directConnection("test", () => bed.shard), timers: time }),
        );
      await work({ time, random: seeded(1), open, locks: locks.calls });
    }),
});
