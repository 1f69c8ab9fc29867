/** Cursors of a watch: a place, `epoch.revision`, for each shard, in their order. Undefined: before everything. */

import { shardOf } from "../protocol/key.ts";

const placesOf = (cursor = ""): readonly (readonly string[])[] =>
  cursor.split("~").map((place) => place.split("."));

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
  const places = placesOf(one);
  return (
    other === undefined ||
    (sameEpochs(one, other) &&
      placesOf(other).every(([, revision], at) => Number(places[at]?.[1]) >= Number(revision)))
  );
}

/** The shard of a key among those of a cursor. */
export function shardIn(cursor: string, key: string): number {
  return shardOf(key, placesOf(cursor).length);
}

/** Whether a cursor lies behind a position of a key's shard; undefined: it is of another life of it. */
export function isBehind(cursor: string | undefined, key: string, position: string): boolean | undefined {
  if (cursor === undefined) return undefined;
  const [epoch, revision] = placesOf(cursor)[shardIn(cursor, key)] ?? [];
  const [otherEpoch, other] = position.split(".");
  return epoch === otherEpoch ? Number(revision) >= Number(other) : undefined;
}
