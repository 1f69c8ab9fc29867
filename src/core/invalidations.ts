import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { formatCursor } from "../protocol/position.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import { checkPrefix, checkTags, OpIds, type Wish } from "./draft.ts";
import type { L1 } from "./l1.ts";
import type { Parts } from "./parts.ts";
import type { Registry } from "./registry.ts";
import { tooMany } from "./too-many.ts";
import type { InvalidateResult, InvalidateTarget, MutationOptions } from "./types.ts";
import type { Writer } from "./writer.ts";

/** Drops copies: on every node through the log, or on this one alone. */
export class Invalidations {
  readonly #parts: Parts;
  readonly #registry: Registry;
  readonly #l1: L1;
  readonly #writer: Writer;
  /** Keeps readers to come from joining loads of a key, or of all with a prefix, from before. */
  readonly #detach: (key: string | undefined, prefix: string | undefined) => void;

  constructor(
    parts: Parts,
    registry: Registry,
    l1: L1,
    writer: Writer,
    detach: (key: string | undefined, prefix: string | undefined) => void,
  ) {
    this.#parts = parts;
    this.#registry = registry;
    this.#l1 = l1;
    this.#writer = writer;
    this.#detach = detach;
  }

  /** On every node. */
  async everywhere(
    target: InvalidateTarget,
    options: MutationOptions | undefined,
  ): Promise<InvalidateResult> {
    const { keys, prefix, tags } = checkTarget(target);
    if (tags !== undefined)
      return await this.#invalidateEach(
        tags.map((tag) => ({ kind: "invalidateTag", tag })),
        options,
      );
    if (prefix !== undefined) {
      const { result, positions } = await this.#writer.one({ kind: "invalidatePrefix", prefix }, options);
      return { opId: result.opId, cursors: positions.map(formatCursor) };
    }
    if (keys.length > maxBatchOperations) throw tooMany(keys.length);
    for (const key of keys) checkKey(key);
    // Refused as a whole before anything is done, if any key has no registration in a strict space.
    await this.#registry.ready(options);
    for (const key of keys) this.#registry.resolve(key);
    return await this.#invalidateEach(
      keys.map((key) => ({ kind: "invalidate", key })),
      options,
    );
  }

  async #invalidateEach(
    wishes: readonly Wish[],
    options: MutationOptions | undefined,
  ): Promise<InvalidateResult> {
    const opIds = new OpIds(this.#parts, options);
    const settled = await this.#writer.each(wishes, options, opIds);
    const cursors = new Map<number, string>();
    for (const one of settled) {
      if (!("value" in one)) throw one.error;
      for (const position of one.value.positions) cursors.set(position.shard, formatCursor(position));
    }
    return { opId: opIds.callOpId, cursors: [...cursors.values()] };
  }

  /** Drops this node's copies only; gives how many there were. */
  async local(target: InvalidateTarget): Promise<number> {
    this.#parts.lifetime.check();
    const { keys, prefix, tags } = checkTarget(target);
    const { emitter } = this.#parts;
    if (tags !== undefined) {
      // What is on its way may have one of them.
      this.#detach(undefined, "");
      if (emitter.has("invalidate"))
        for (const tag of tags) emitter.emit("invalidate", { tag, source: "local" });
      return await this.#l1.forgetTags(tags);
    }
    if (prefix !== undefined) {
      checkPrefix(prefix);
      this.#detach(undefined, prefix);
      if (emitter.has("invalidate")) emitter.emit("invalidate", { prefix, source: "local" });
      return await this.#l1.forgetPrefix(prefix);
    }
    for (const key of keys) checkKey(key);
    let dropped = 0;
    for (const key of keys) {
      this.#detach(key, undefined);
      if (emitter.has("invalidate")) emitter.emit("invalidate", { key, source: "local" });
      if (await this.#l1.forget(key)) dropped++;
    }
    return dropped;
  }
}

type Target = {
  readonly keys?: readonly string[];
  readonly prefix?: string;
  readonly tags?: readonly string[];
};

/** Exactly one of the three. Throws `invalid_argument`. */
function checkTarget(target: InvalidateTarget) {
  const { keys, prefix, tags } = target as Target;
  if (keys !== undefined && prefix === undefined && tags === undefined) return { keys, prefix, tags };
  if (keys === undefined && prefix !== undefined && tags === undefined) return { keys, prefix, tags };
  if (keys === undefined && prefix === undefined && tags !== undefined) {
    checkTags(tags);
    return { keys, prefix, tags: [...new Set(tags)] };
  }
  throw new WarpError("invalid_argument", "name either keys, a prefix or tags", {
    details: { field: "keys" },
  });
}
