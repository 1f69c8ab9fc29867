import { maxGroupMutations } from "../runtime/limits.ts";
import { GroupCommit } from "./group-commit.ts";
import type { LockInstance } from "./lock/lock-instance.ts";
import type { PublishedLog } from "./published-log.ts";
import type { Residence } from "./residence.ts";
import type { Authority } from "./strong/authority.ts";

/** What a shard's commits go through. */
export interface ShardCommitParts {
  readonly residence: Residence;
  readonly authority: Authority;
  readonly lockInstance: LockInstance;
  readonly published: PublishedLog;
  readonly grouping: boolean;
}

/** The group commit of a shard: each commit shows that this instance is still the one, and none is spoken of before it is durable. */
export function shardCommit({ residence, authority, lockInstance, published, grouping }: ShardCommitParts) {
  return new GroupCommit(
    {
      transaction: (work) =>
        authority.during(
          () => residence.transaction(work),
          () => residence.open()?.log.head,
        ),
      durable: () => lockInstance.saying(() => authority.confirm(() => published.settle())),
      undone: () => residence.forget(),
    },
    { grouping, maxWeight: maxGroupMutations },
  );
}
