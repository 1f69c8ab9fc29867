import { WarpError } from "../errors.ts";
import { shardOf } from "../protocol/key.ts";
import { valueBytesOf } from "../protocol/mutation.ts";
import type { Mutation, Resolution, Verdict } from "../protocol/shard-api.ts";
import type { Transaction, TransactionVerdict } from "../protocol/transaction.ts";
import { transactionShard } from "../protocol/transaction-rules.ts";
import { maxMutateBytes } from "../runtime/limits.ts";
import { type Placed, positionOf, type ShardCalls } from "./shard-calls.ts";
import { gather, groupByShard, type ShardGroup } from "./shard-groups.ts";

/** An operation whose outcome is asked for; without a key it was about a prefix or a tag, so that every shard has a part of it. */
export interface AskedOperation {
  /** As it was scoped. */
  readonly opId: string;
  readonly key?: string;
}

/** Carries out mutations in all shards that they concern: see `SpaceClient.mutate`. `progress` tells when any shard may have acted. */
export async function mutateSpace(
  calls: ShardCalls,
  mutations: readonly Mutation[],
  progress: { acted: boolean },
): Promise<readonly (readonly [Placed<Verdict>, ...Placed<Verdict>[]])[]> {
  const { shards } = calls.space;
  const shardOfMutation = (mutation: Mutation): number | undefined =>
    "key" in mutation ? shardOf(mutation.key, shards) : undefined;
  const groups = groupByShard(mutations, shardOfMutation, shards);
  for (const group of groups) checkBytes(group);
  const answers = await settleShards(groups, progress, (group) => mutateShard(calls, group));
  return gather(groups, answers);
}

/**
 * Sends each group to its shard, side by side, and waits for all. If any fails, throws one of the failures, of unknown outcome if there is such; `progress`
 * tells when any shard may have acted.
 */
export async function settleShards<T, A>(
  groups: readonly ShardGroup<T>[],
  progress: { acted: boolean },
  send: (group: ShardGroup<T>) => Promise<readonly A[]>,
): Promise<readonly (readonly A[])[]> {
  const replies = await Promise.allSettled(groups.map(send));
  const answers: (readonly A[])[] = [];
  const failures: unknown[] = [];
  for (const reply of replies) {
    if (reply.status === "fulfilled") answers.push(reply.value);
    else failures.push(reply.reason);
    if (reply.status === "fulfilled" || isUnknown(reply.reason)) progress.acted = true;
  }
  if (failures.length > 0) throw failures.find(isUnknown) ?? failures[0];
  return answers;
}

/** Carries out a transaction in the shard that all its keys lie in. Throws `cross_shard` before anything is sent. */
export async function transactSpace(
  calls: ShardCalls,
  transaction: Transaction,
): Promise<Placed<TransactionVerdict>> {
  const shard = transactionShard(transaction, calls.space.shards);
  const reply = await calls.ask("mutation", shard, (api, scope) => api.transact({ ...scope, transaction }));
  return { answer: reply.verdict, asOf: positionOf(shard, reply) };
}

/** Asks every shard that an operation may have reached what became of it. */
export async function resolveSpace(
  calls: ShardCalls,
  operations: readonly AskedOperation[],
  seal: boolean,
): Promise<readonly Resolution[]> {
  const { shards } = calls.space;
  const groups = groupByShard(
    operations,
    ({ key }) => (key === undefined ? undefined : shardOf(key, shards)),
    shards,
  );
  const answers = await Promise.all(
    groups.map(async ({ shard, items }) => {
      const opIds = items.map(({ opId }) => opId);
      const reply = await calls.ask(seal ? "mutation" : "read", shard, (api, scope) =>
        api.resolve({ ...scope, opIds, ...(seal && { seal }) }),
      );
      return reply.resolutions;
    }),
  );
  return gather(groups, answers).map(joinResolutions);
}

/**
 * What became of an operation, from what each shard says of it. An operation on one key is known by its own shard alone; an invalidation of many
 * keys is done where every shard has done its part.
 */
export function joinResolutions(parts: readonly [Resolution, ...Resolution[]]): Resolution {
  const inState = (state: Resolution["state"]): Resolution | undefined =>
    parts.find((part) => part.state === state);
  const whole = parts.find((part) => part.state === "ok" && part.part !== true);
  const undone = inState("unseen") ?? inState("sealed");
  return inState("pending") ?? whole ?? inState("fail") ?? undone ?? parts[0];
}

async function mutateShard(
  calls: ShardCalls,
  { shard, items }: ShardGroup<Mutation>,
): Promise<Placed<Verdict>[]> {
  const reply = await calls.ask("mutation", shard, (api, scope) =>
    api.mutate({ ...scope, mutations: items }),
  );
  const asOf = positionOf(shard, reply);
  return reply.verdicts.map((answer) => ({ answer, asOf }));
}

function checkBytes({ items }: ShardGroup<Mutation>): void {
  const bytes = items.reduce((total, mutation) => total + valueBytesOf(mutation), 0);
  if (bytes <= maxMutateBytes) return;
  throw new WarpError(
    "batch_too_large",
    `one call changes at most ${maxMutateBytes} bytes of values of a shard`,
    {
      details: { bytes, max: maxMutateBytes },
    },
  );
}

function isUnknown(error: unknown): boolean {
  return error instanceof WarpError && error.outcome === "unknown";
}
