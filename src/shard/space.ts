import { WarpError } from "../errors.ts";
import type { SpaceOptionsData } from "../protocol/shard-api.ts";
import type { SpaceSettings, StorageSettings } from "../protocol/space.ts";
import { maxKeepBytes, maxThroughTimeoutMs, minThroughTimeoutMs } from "../runtime/backing-limits.ts";
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
  const { strict = false, storage, fallback } = options;
  if (storage !== undefined) checkStorage(storage);
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

function checkStorage({ throughTimeoutMs, keepBytes }: StorageSettings): void {
  const check = (field: string, value: number | undefined, min: number, max: number): void => {
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
    throw new WarpError("invalid_argument", `${field} is a whole number from ${min} to ${max}`, {
      details: { field, min, max },
    });
  };
  check("storage.throughTimeoutMs", throughTimeoutMs, minThroughTimeoutMs, maxThroughTimeoutMs);
  check("storage.keepBytes", keepBytes, 0, maxKeepBytes);
}

function isSameStorage(one: StorageSettings, other: StorageSettings | undefined): boolean {
  return (
    one.name === other?.name &&
    one.write === other.write &&
    one.throughTimeoutMs === other.throughTimeoutMs &&
    one.keepBytes === other.keepBytes
  );
}
