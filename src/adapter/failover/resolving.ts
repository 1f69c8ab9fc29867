import type { Resolution } from "../../protocol/shard-api.ts";
import type { Tried } from "./try-shard.ts";

export type Asked = readonly { readonly opId: string; readonly key?: string }[];

/** What is asked of shards and their streams. */
export interface ResolvingParts {
  /** Asks the shards; with a drain they apply what waits first. */
  ask(): Promise<Tried<readonly Resolution[]>>;
  shardOf(key: string): number;
  /** Looks into a shard's stream to its end. */
  look(shard: number): Promise<void>;
  /** Whether an operation is known to wait in a shard's stream. */
  awaits(shard: number, opId: string): boolean;
}

/**
 * What became of operations (rule OU3), where one may wait in a stream: it is `pending` as long as its shard can't be reached. What a shard has not seen is looked for in the stream, and the
 * shard asked again when it has applied that: so nothing is told to be unseen that stands there. To seal is the shard's alone.
 */
export async function resolveAround(
  operations: Asked,
  seals: boolean,
  parts: ResolvingParts,
): Promise<readonly Resolution[]> {
  const { ask, shardOf } = parts;
  const shards = new Set(operations.flatMap(({ key }) => (key === undefined ? [] : [shardOf(key)])));
  const look = (): Promise<unknown> => Promise.all([...shards].map((shard) => parts.look(shard)));
  const first = await ask();
  if (first.error === undefined) {
    if (seals || first.value.every(({ state }) => state !== "unseen")) return first.value;
    await look();
    const second = await ask();
    if (second.error === undefined) return second.value;
    throw second.error;
  }
  if (seals) throw first.error;
  const allWait = (): boolean =>
    operations.every(({ opId, key }) => key !== undefined && parts.awaits(shardOf(key), opId));
  if (!allWait()) await look();
  if (!allWait()) throw first.error;
  return operations.map(() => ({ state: "pending" }));
}
