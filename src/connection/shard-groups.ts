import { WarpError } from "../errors.ts";

/** What of a call goes to one shard, and where each item stood in it. */
export interface ShardGroup<T> {
  readonly shard: number;
  readonly items: T[];
  readonly places: number[];
}

/** Splits `items` by their shard, keeping their order within each. Where `shardOf` gives undefined, the item goes to every shard. */
export function groupByShard<T>(
  items: readonly T[],
  shardOf: (item: T) => number | undefined,
  shards: number,
): readonly ShardGroup<T>[] {
  const groups = new Map<number, ShardGroup<T>>();
  const add = (shard: number, item: T, place: number): void => {
    let group = groups.get(shard);
    if (group === undefined) {
      group = { shard, items: [], places: [] };
      groups.set(shard, group);
    }
    group.items.push(item);
    group.places.push(place);
  };
  for (const [place, item] of items.entries()) {
    const shard = shardOf(item);
    if (shard !== undefined) add(shard, item, place);
    else for (let each = 0; each < shards; each++) add(each, item, place);
  }
  return [...groups.values()].sort((a, b) => a.shard - b.shard);
}

/** The answers of all groups by the place of their item, those of one item in order of their shards. Throws where a shard left one out. */
export function gather<T, A>(
  groups: readonly ShardGroup<T>[],
  answers: readonly (readonly A[])[],
): readonly [A, ...A[]][] {
  const all: [A, ...A[]][] = [];
  for (const [at, group] of groups.entries()) {
    for (const [i, place] of group.places.entries()) {
      const answer = answers[at]?.[i];
      if (answer === undefined)
        throw new WarpError("internal", "a shard gave fewer answers than it was asked");
      const others = all[place];
      if (others === undefined) all[place] = [answer];
      else others.push(answer);
    }
  }
  return all;
}
