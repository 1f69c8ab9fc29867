import type { Reading } from "./entry.ts";
import type { Reader } from "./reader.ts";
import type { Lookup, ReadCall } from "./types.ts";

/** The answers about all keys, in order, each key once. Throws the first error of any. */
export async function lookupMany<T>(
  reader: Reader,
  keys: readonly string[],
  reading: Reading<T>,
  options: ReadCall | undefined,
): Promise<Map<string, Lookup<T>>> {
  const lookups = new Map<string, Lookup<T>>();
  const settled = await reader.each(keys, reading, options);
  for (const key of keys) {
    const one = settled.get(key);
    if (one === undefined) continue;
    if (!("value" in one)) throw one.error;
    lookups.set(key, one.value);
  }
  return lookups;
}

/** The values of those keys that have one, under the names that `nameOf` gives their places. */
export async function valuesOf<T>(
  reader: Reader,
  keys: readonly string[],
  reading: Reading<T>,
  options: ReadCall | undefined,
  nameOf: (at: number, key: string) => string = (_at, key) => key,
): Promise<Map<string, T>> {
  const lookups = await lookupMany(reader, keys, reading, options);
  const values = new Map<string, T>();
  for (const [at, key] of keys.entries()) {
    const value = lookups.get(key)?.value;
    if (value !== undefined) values.set(nameOf(at, key), value);
  }
  return values;
}
