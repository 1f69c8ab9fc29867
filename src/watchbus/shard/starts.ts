import { shardOf } from "../../protocol/key.ts";
import type { WatchStart } from "../../protocol/wire/watch-frames.ts";
import { parseWatchCursor } from "../cursor.ts";
import type { WatchOptions, WatchTarget } from "../watchbus.ts";

/** The shards that a watch follows, and where it begins in each. Throws `invalid_cursor`. */
export function startsOf(
  target: WatchTarget,
  from: NonNullable<WatchOptions["from"]>,
  shards: number,
): readonly { readonly shard: number; readonly from: WatchStart }[] {
  const followed =
    "key" in target ? [shardOf(target.key, shards)] : Array.from({ length: shards }, (_, shard) => shard);
  if (typeof from === "string") return followed.map((shard) => ({ shard, from }));
  const places = parseWatchCursor(from.cursor, followed.length);
  return followed.map((shard, at) => ({ shard, from: places[at] ?? "now" }));
}
