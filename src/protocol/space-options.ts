import { WarpError } from "../errors.ts";
import { maxKeepBytes, maxThroughTimeoutMs, minThroughTimeoutMs } from "../runtime/backing-limits.ts";
import { maxShards } from "../runtime/limits.ts";
import { isSpaceName } from "./key.ts";
import type { SpaceOptionsData } from "./shard-api.ts";

/** Throws `invalid_argument` that names the option and its range. Whether the deployment knows a storage or fallback of that name is its shards' to say. */
export function checkSpaceOptions({ shards, strict, storage, fallback }: Partial<SpaceOptionsData>): void {
  checkWhole("shards", shards, 1, maxShards);
  if (strict !== undefined && typeof strict !== "boolean") throw wrong("strict", "true or false");
  if (storage !== undefined) {
    checkName("storage.name", storage.name);
    if (storage.write !== "behind" && storage.write !== "through")
      throw wrong("storage.write", "behind or through");
    checkWhole(
      "storage.throughTimeoutMs",
      storage.throughTimeoutMs,
      minThroughTimeoutMs,
      maxThroughTimeoutMs,
    );
    checkWhole("storage.keepBytes", storage.keepBytes, 0, maxKeepBytes);
  }
  if (fallback !== undefined) checkName("fallback", fallback);
}

/** The variables of a deployment that says what spaces are made with. Absent and empty are the same. */
export interface SpaceEnvironment {
  readonly WARP_DEFAULT_STORAGE?: string | undefined;
  readonly WARP_DEFAULT_FALLBACK?: string | undefined;
}

/**
 * What a space is made with where its maker does not say, by a first write above all. `known` are the names that the deployment has. Throws `invalid_argument` that names the
 * variable.
 */
export function parseSpaceDefaults(
  env: SpaceEnvironment,
  known: { readonly storages: readonly string[]; readonly fallbacks: readonly string[] },
): Pick<Partial<SpaceOptionsData>, "storage" | "fallback"> {
  const { WARP_DEFAULT_STORAGE: storage = "", WARP_DEFAULT_FALLBACK: fallback = "" } = env;
  checkKnown("WARP_DEFAULT_STORAGE", storage, known.storages);
  checkKnown("WARP_DEFAULT_FALLBACK", fallback, known.fallbacks);
  return {
    ...(storage === "" ? {} : { storage: { name: storage, write: "behind" } as const }),
    ...(fallback === "" ? {} : { fallback }),
  };
}

function checkKnown(field: string, name: string, known: readonly string[]): void {
  if (name === "" || known.includes(name)) return;
  throw wrong(
    field,
    known.length === 0 ? "of no use: the deployment has none" : `one of ${known.join(", ")}`,
  );
}

function checkWhole(field: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw wrong(field, `a whole number from ${min} to ${max}`, { min, max });
}

function checkName(field: string, name: string): void {
  if (!isSpaceName(name))
    throw wrong(field, "the name of one that the deployment has: 1 to 64 of a-z 0-9 . _ -");
}

function wrong(field: string, what: string, range: object = {}): WarpError {
  return new WarpError("invalid_argument", `${field} is ${what}`, { details: { field, ...range } });
}
