import { WarpError } from "../errors.ts";
import { shardOf } from "../protocol/key.ts";
import type { Position } from "../protocol/position.ts";
import type { Publication } from "../protocol/watch.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import { withOutcome } from "./attempt.ts";
import { groupByShard } from "./shard-groups.ts";
import type { SpaceClient } from "./space-client.ts";
import { settleShards } from "./space-writes.ts";

/**
 * Publishes to those who watch, in the key's shard, or in every shard for a prefix. Gives where it stands in each log that keeps it. Throws what the shard refuses, with
 * the outcome `unknown` where another shard has taken it.
 */
export async function publishSpace(
  client: Pick<SpaceClient, "run">,
  publication: Publication & { readonly opId: string; readonly retained: boolean },
  limits?: CallLimits,
): Promise<readonly Position[]> {
  const { target, retained } = publication;
  const progress = { acted: false };
  try {
    return await client.run("mutation", limits, async (calls) => {
      const { shards } = calls.space;
      const shardOfTarget = (): number | undefined =>
        "key" in target ? shardOf(target.key, shards) : undefined;
      const groups = groupByShard([publication], shardOfTarget, shards);
      const positions = await settleShards(groups, progress, async ({ shard }) => {
        const { verdict, epoch } = await calls.ask("mutation", shard, (api, scope) =>
          api.publish({ ...scope, ...publication }),
        );
        if (verdict.outcome === "fail") throw WarpError.fromData(verdict.error);
        return [{ shard, epoch, revision: verdict.revision }];
      });
      return retained ? positions.flat() : [];
    });
  } catch (error) {
    throw progress.acted && error instanceof WarpError ? withOutcome(error, "unknown") : error;
  }
}
