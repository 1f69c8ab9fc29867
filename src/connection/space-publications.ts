import { WarpError } from "../errors.ts";
import { shardOf } from "../protocol/key.ts";
import type { Verdict } from "../protocol/operation.ts";
import type { PublishRequest } from "../protocol/watch.ts";
import { checkPublication } from "../protocol/watch-rules.ts";
import type { CallLimits } from "../runtime/call-limits.ts";
import { withOutcome } from "./attempt.ts";
import { type Placed, positionOf } from "./shard-calls.ts";
import { gather, groupByShard } from "./shard-groups.ts";
import type { SpaceClient } from "./space-client.ts";
import { settleShards } from "./space-writes.ts";

/**
 * Publishes to a key in its shard, to a prefix in every shard (one answer of each): those who watch a key below it are there. Throws
 * `space_not_found`, and before anything is sent `invalid_key`, `value_too_large`.
 */
export async function publishSpace(
  client: SpaceClient,
  publication: Pick<PublishRequest, "opId" | "target" | "payload" | "retained">,
  limits?: CallLimits,
): Promise<readonly [Placed<Verdict>, ...Placed<Verdict>[]]> {
  const { opId, target, payload, retained } = publication;
  checkPublication(publication);
  const progress = { acted: false };
  try {
    return await client.run("mutation", limits, async (calls) => {
      const { shards } = calls.space;
      const groups = groupByShard(
        [target],
        () => ("key" in target ? shardOf(target.key, shards) : undefined),
        shards,
      );
      const answers = await settleShards(groups, progress, async ({ shard }) => {
        const reply = await calls.ask("mutation", shard, (api, scope) =>
          api.publish({ ...scope, opId, target, payload, retained }),
        );
        return [{ answer: reply.verdict, asOf: positionOf(shard, reply) }];
      });
      const [all] = gather(groups, answers);
      if (all === undefined) throw new WarpError("internal", "no shard was asked");
      return all;
    });
  } catch (error) {
    // One shard's definite no is not the whole call's where another shard has acted.
    throw progress.acted && error instanceof WarpError ? withOutcome(error, "unknown") : error;
  }
}
