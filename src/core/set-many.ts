import { WarpError } from "../errors.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import type { Core } from "./core.ts";
import type { Wish } from "./draft.ts";
import { checkValue, type Reading } from "./entry.ts";
import { tooMany } from "./too-many.ts";
import type { SetManyOptions, SetManyResult } from "./types.ts";

/** Stores up to 1,000 values in one call, each with its own verdict, in order. */
export async function setMany<T>(
  { parts, writer }: Core,
  entries: Iterable<readonly [key: string, value: T]>,
  reading: Reading<T>,
  options: SetManyOptions<T> | undefined,
): Promise<readonly SetManyResult[]> {
  parts.lifetime.check();
  const list = [...entries];
  if (list.length > maxBatchOperations) throw tooMany(list.length);
  const results: (SetManyResult | undefined)[] = list.map(() => undefined);
  const wishes: Wish[] = [];
  const places: number[] = [];
  for (const [at, [key, value]] of list.entries()) {
    try {
      const payload = reading.codec.encode(await checkValue(value, reading.schema));
      const { expiresInMs, tags, guard, lease, replace } = options ?? {};
      wishes.push({ kind: "set", key, payload, expiresInMs, tags, guard, lease, replace });
      places.push(at);
    } catch (error) {
      results[at] = { key, error };
    }
  }
  const settled = await writer.each(wishes, options, undefined, (i) => places[i] ?? i);
  for (const [i, at] of places.entries()) {
    const one = settled[i];
    const key = list[at]?.[0] ?? "";
    if (one !== undefined) {
      results[at] = "value" in one ? { key, result: one.value.result } : { key, error: one.error };
    }
  }
  return results.map((result, at) => result ?? unanswered(list[at]?.[0] ?? ""));
}

function unanswered(key: string): SetManyResult {
  return { key, error: new WarpError("internal", "a mutation was left unanswered") };
}
