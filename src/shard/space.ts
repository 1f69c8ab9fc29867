import { WarpError } from "../errors.ts";
import type { SpaceOptionsData } from "../protocol/shard-api.ts";
import type { SpaceSettings } from "../protocol/space.ts";
import { randomHex } from "../runtime/ids.ts";
import { maxShards } from "../runtime/limits.ts";
import type { Random } from "../runtime/random.ts";

/** The settings of a space that is made now. Throws `invalid_argument` for shards outside 1 to 256. */
export function newSpace(
  name: string,
  options: Partial<SpaceOptionsData>,
  random: Random,
  nowMs: number,
): SpaceSettings {
  const shards = options.shards ?? 1;
  if (!Number.isInteger(shards) || shards < 1 || shards > maxShards) {
    throw new WarpError("invalid_argument", `shards is a whole number from 1 to ${maxShards}`, {
      details: { field: "shards", min: 1, max: maxShards },
    });
  }
  const strict = options.strict ?? false;
  return { name, id: randomHex(random, 8), shards, strict, createdAtMs: Math.floor(nowMs) };
}

/** What speaks against `options` for a space that is there already; undefined: nothing. What is left out conflicts with nothing. */
export function spaceConflict(
  present: SpaceSettings,
  options: Partial<SpaceOptionsData>,
): WarpError | undefined {
  const { shards = present.shards, strict = present.strict } = options;
  if (shards === present.shards && strict === present.strict) return undefined;
  return new WarpError(
    "space_conflict",
    "the space exists with other settings, which are fixed when it is first used",
    {
      details: { shards: present.shards, strict: present.strict },
    },
  );
}
