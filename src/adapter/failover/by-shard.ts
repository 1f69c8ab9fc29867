import { WarpError } from "../../errors.ts";

/** Does the part of each shard, side by side, and puts the answers into the order of the items. Throws the first failure, of unknown outcome if any part was done or may have been. */
export async function byShard<T, A>(
  items: readonly T[],
  shardOf: (item: T) => number,
  work: (shard: number, items: readonly T[]) => Promise<readonly A[]>,
): Promise<readonly A[]> {
  const parts = new Map<number, number[]>();
  for (const [at, item] of items.entries()) {
    const shard = shardOf(item);
    const part = parts.get(shard);
    if (part === undefined) parts.set(shard, [at]);
    else part.push(at);
  }
  const [only] = parts.keys();
  if (only !== undefined && parts.size === 1) return await work(only, items);
  const answers: A[] = [];
  const ends = await Promise.allSettled(
    [...parts].map(async ([shard, places]) => {
      const part = await work(
        shard,
        places.flatMap((at) => items.slice(at, at + 1)),
      );
      for (const [i, at] of places.entries()) answers[at] = part[i] as A;
    }),
  );
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
  const [failure] = failures;
  if (failure === undefined) return answers;
  if (
    failures.length === ends.length &&
    failures.every((one) => one instanceof WarpError && one.outcome === "fail")
  )
    throw failure;
  const { code, message, ...data } = WarpError.from(failure, "internal", "a shard failed").toData();
  throw new WarpError(code, message, { ...data, outcome: "unknown", cause: failure });
}
