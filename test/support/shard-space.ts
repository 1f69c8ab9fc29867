import { host } from "#host";
import type { MergeRules } from "../../src/merge/merge-rules.ts";
import type { LeasePeerApi } from "../../src/protocol/lease.ts";
import { isRefusal, type ShardApi } from "../../src/protocol/shard-api.ts";
import type { Shard } from "../../src/shard/shard.ts";
import type { ManualTime } from "./manual-time.ts";
import { ShardBed } from "./shard-bed.ts";

/** What a {@link withShardSpace} is made with. */
export interface ShardSpaceOptions {
  readonly shards: number;
  readonly strict?: boolean;
  readonly logMaxEntries?: number;
  readonly merges?: MergeRules;
}

/** Runs `work` on a space "test" of several real shards, each on its own database; `settle` false leaves it uncreated. */
export async function withShardSpace(
  time: ManualTime,
  { shards, strict = false, ...options }: ShardSpaceOptions,
  work: (shards: readonly Shard[]) => Promise<void>,
): Promise<void> {
  const beds: ShardBed[] = [];
  const at = (index: number): Shard => {
    const bed = beds[index];
    if (bed === undefined) throw new Error(`no shard ${index}`);
    return bed.shard;
  };
  const home = (): ShardApi => at(0);
  const peer = (_: string, index: number): LeasePeerApi => at(index).leases;
  const open = async (): Promise<void> => {
    if (beds.length < shards) {
      await host.withSql(async (sql) => {
        beds.push(new ShardBed(sql, { clock: time, timers: time, home, peer, ...options }, beds.length + 1));
        await open();
      });
      return;
    }
    const reply = await home().createSpace("test", { shards, strict });
    if (isRefusal(reply)) throw new Error(reply.refused.message);
    await work(beds.map((bed) => bed.shard));
  };
  await open();
}
