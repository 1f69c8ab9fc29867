import { WarpError } from "../errors.ts";
import type { SpaceOptionsData } from "../protocol/shard-api.ts";
import type { SpaceSettings, StorageSettings } from "../protocol/space.ts";
import { checkSpaceOptions } from "../protocol/space-options.ts";
import { randomHex } from "../runtime/ids.ts";
import type { Random } from "../runtime/random.ts";

/** The settings of a space that is made now. Throws `invalid_argument` for what is out of its range. */
export function newSpace(
  name: string,
  options: Partial<SpaceOptionsData>,
  random: Random,
  nowMs: number,
): SpaceSettings {
  checkSpaceOptions(options);
  const { shards = 1, strict = false, storage, fallback } = options;
  return {
    name,
    id: randomHex(random, 8),
    shards,
    strict,
    createdAtMs: Math.floor(nowMs),
    ...(storage && { storage }),
    ...(fallback !== undefined && { fallback }),
  };
}

/** What speaks against `options` for a space that is there already; undefined: nothing. What is left out conflicts with nothing. */
export function spaceConflict(
  present: SpaceSettings,
  options: Partial<SpaceOptionsData>,
): WarpError | undefined {
  const { shards = present.shards, strict = present.strict, storage, fallback } = options;
  const isSame =
    shards === present.shards &&
    strict === present.strict &&
    (storage === undefined || isSameStorage(storage, present.storage)) &&
    (fallback === undefined || fallback === present.fallback);
  if (isSame) return undefined;
  return new WarpError(
    "space_conflict",
    "the space exists with other settings, which are fixed when it is first used",
    {
      details: {
        shards: present.shards,
        strict: present.strict,
        ...(present.storage && { storage: JSON.stringify(present.storage) }),
        ...(present.fallback !== undefined && { fallback: present.fallback }),
      },
    },
  );
}

function isSameStorage(one: StorageSettings, other: StorageSettings | undefined): boolean {
  return (
    one.name === other?.name &&
    one.write === other.write &&
    one.throughTimeoutMs === other.throughTimeoutMs &&
    one.keepBytes === other.keepBytes
  );
}
