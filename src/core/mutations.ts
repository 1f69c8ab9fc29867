import { checkValue, type Reading } from "./entry.ts";
import type { Parts } from "./parts.ts";
import type { DeleteOptions, MergeOptions, MutationResult, WriteOptions } from "./types.ts";
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
}
