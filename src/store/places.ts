/** Cursors of a watch as vectors: a place, `epoch.revision`, for each shard. Undefined: before everything. */

/** A place as its parts. */
export function placeOf(text: string): { readonly epoch: string; readonly revision: number } {
  const dot = text.indexOf(".");
  return { epoch: text.slice(0, dot), revision: Number(text.slice(dot + 1)) };
}

function placesOf(cursor: string | undefined): readonly ReturnType<typeof placeOf>[] {
  return cursor === undefined ? [] : cursor.split("~").map(placeOf);
}

/** Whether both are of the same life of the same shards. */
export function sameEpochs(one: string | undefined, other: string | undefined): boolean {
  const epochs = (cursor: string | undefined) => placesOf(cursor).map(({ epoch }) => epoch).join();
  return epochs(one) === epochs(other);
}

/** Whether `one` lies behind all that `other` lies behind, in every shard. */
export function covers(one: string | undefined, other: string | undefined): boolean {
  if (other === undefined) return true;
  const others = placesOf(other);
  return sameEpochs(one, other) && placesOf(one).every(({ revision }, at) => revision >= (others[at]?.revision ?? 0));
}

/** The shard of a position, as far as a cursor knows its epoch (else -1), and whether the cursor lies behind the position. */
export function find(cursor: string, position: string): { readonly shard: number; readonly isBehind: boolean } {
  const { epoch, revision } = placeOf(position);
  const places = placesOf(cursor);
  const shard = places.findIndex((place) => place.epoch === epoch);
  return { shard, isBehind: (places[shard]?.revision ?? -1) >= revision };
}

/** The revision of a cursor in a shard. */
export function revisionIn(cursor: string, shard: number): number {
  return placesOf(cursor)[shard]?.revision ?? 0;
}
