/** Cursors of a watch as vectors: a place, `epoch.revision`, for each shard, in their order. Undefined: before everything. */

const placesOf = (cursor = ""): readonly string[][] => cursor.split("~").map((place) => place.split("."));

const epochsOf = (cursor: string | undefined): string =>
  placesOf(cursor)
    .map(([epoch]) => epoch)
    .join();

/** Whether both are of the same life of the same shards. */
export function sameEpochs(one: string | undefined, other: string | undefined): boolean {
  return epochsOf(one) === epochsOf(other);
}

/** Whether `one` lies behind all that `other` lies behind, in every shard. */
export function covers(one: string | undefined, other: string | undefined): boolean {
  const others = placesOf(other);
  return (
    other === undefined ||
    (sameEpochs(one, other) &&
      placesOf(one).every(([, revision], at) => Number(revision) >= Number(others[at]?.[1])))
  );
}

/** The shard of a position, by its epoch; -1: the cursor does not know it. */
export function shardOf(cursor: string | undefined, position: string): number {
  const [epoch] = position.split(".");
  return placesOf(cursor).findIndex(([one]) => one === epoch);
}

/** Whether a cursor lies behind a position. */
export function isBehind(cursor: string | undefined, position: string): boolean {
  const place = placesOf(cursor)[shardOf(cursor, position)];
  return place !== undefined && Number(place[1]) >= Number(position.split(".")[1]);
}
