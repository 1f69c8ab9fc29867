import { it } from "vitest";
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
import { withShardSpace } from "../support/shard-space.ts";

// In workerd one test can't use the databases of several objects; there the objects' own suites have several shards.
const contract = host.name === "node" ? adapterContract : () => it.skip("several shards: Node only");

contract({
  name: "three shards",
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
  firstWriteCreates: false,
  run: async (work, { merges, ...options } = {}) => {
    const time = new ManualTime();
    await withShardSpace(time, { shards: 3, merges: new MergeRules(merges), ...options }, async (shards) => {
      const shard = (index: number) => {
        const found = shards[index];
        if (found === undefined) throw new Error(`no shard ${index}`);
        return found;
      };
      const client = () => new SpaceClient({ connection: directConnection("test", shard), timers: time });
      const open = () => shardAdapter(client());
      const random = seeded(1);
      const node = shardLocks({ client: client() });
      const locks = lockCalls(async (command) => (await node.run([command]))[0], time, random);
      await work({ time, random, open, locks });
    });
  },
});
