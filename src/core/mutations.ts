import { WarpError } from "../errors.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import type { Wish } from "./draft.ts";
import { checkValue, type Reading } from "./entry.ts";
import type { Parts } from "./parts.ts";
import { tooMany } from "./too-many.ts";
import type {
  DeleteOptions,
  MergeOptions,
  MutationResult,
  SetManyOptions,
  SetManyResult,
  WriteOptions,
} from "./types.ts";
import type { Writer } from "./writer.ts";

/** Mutations of keys as callers name them: values become payloads here. */
export class Mutations {
  readonly #parts: Parts;
  readonly #writer: Writer;

  constructor(parts: Parts, writer: Writer) {
    this.#parts = parts;
    this.#writer = writer;
  }

  async set<T>(
    key: string,
    value: T,
    { codec, schema }: Reading<T>,
    options: Omit<WriteOptions<T>, "codec"> | undefined,
  ): Promise<MutationResult> {
    this.#parts.lifetime.check();
    const payload = codec.encode(schema === undefined ? value : await checkValue(value, schema));
    const { expiresInMs, tags, when, guard, lease, replace } = options ?? {};
    const wish = { kind: "set", key, payload, expiresInMs, tags, when, guard, lease, replace } as const;
    return (await this.#writer.one(wish, options)).result;
  }

  async merge<T>(
    key: string,
    operand: T,
    { codec }: Reading<T>,
    options: MergeOptions<T> | undefined,
  ): Promise<MutationResult> {
    this.#parts.lifetime.check();
    const { expiresInMs, tags, when, guard, lease } = options ?? {};
    const wish = {
      kind: "merge",
      key,
      operand: codec.encode(operand),
      expiresInMs,
      tags,
      when,
      guard,
      lease,
    } as const;
    return (await this.#writer.one(wish, options)).result;
  }

  async delete(key: string, options: DeleteOptions | undefined): Promise<MutationResult> {
    const wish = { kind: "delete", key, when: options?.when, guard: options?.guard } as const;
    return (await this.#writer.one(wish, options)).result;
  }

  async restore(key: string, version: number, options: DeleteOptions | undefined): Promise<MutationResult> {
    const wish = { kind: "restore", key, version, when: options?.when, guard: options?.guard } as const;
    return (await this.#writer.one(wish, options)).result;
  }

  async setMany<T>(
    entries: Iterable<readonly [key: string, value: T]>,
    reading: Reading<T>,
    options: SetManyOptions<T> | undefined,
  ): Promise<readonly SetManyResult[]> {
    this.#parts.lifetime.check();
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
    const settled = await this.#writer.each(wishes, options, undefined, (i) => places[i] ?? i);
    for (const [i, at] of places.entries()) {
      const one = settled[i];
      const key = list[at]?.[0] ?? "";
      if (one !== undefined) {
        results[at] = "value" in one ? { key, result: one.value.result } : { key, error: one.error };
      }
    }
    return results.map((result, at) => result ?? unanswered(list[at]?.[0] ?? ""));
  }
}

function unanswered(key: string): SetManyResult {
  return { key, error: new WarpError("internal", "a mutation was left unanswered") };
}
