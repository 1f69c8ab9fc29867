import type { Resolution } from "../protocol/shard-api.ts";
import { runBatch } from "./batch.ts";
import type { Core } from "./core.ts";
import { readingOf } from "./readings.ts";
import { TransactionBuilder } from "./transaction-builder.ts";
import type {
  BatchOperation,
  BatchOptions,
  BatchResult,
  DeleteOptions,
  InvalidateResult,
  InvalidateTarget,
  MergeOptions,
  MutationOptions,
  MutationResult,
  ResolveOptions,
  WriteOptions,
} from "./types.ts";

import { WarpReads } from "./warp-reads.ts";

/** What a node changes. */
export class WarpWrites extends WarpReads {
  readonly #core: Core;

  constructor(core: Core) {
    super(core);
    this.#core = core;
  }

  /** Stores a value; this node reads it from L1 from now on. A condition that fails is `precondition_failed`. */
  async set<T = unknown>(key: string, value: T, options?: WriteOptions<T>): Promise<MutationResult> {
    return await this.#core.mutations.set(key, value, readingOf(options), options);
  }

  /**
   * Merges an operand into the stored value by the rule that the key's registration names, at the authority (rule ME1): `merge_rule_missing`
   * where it names none, `merge_failed` where the rule can't, and the old value stays.
   */
  async merge<T = unknown>(key: string, operand: T, options?: MergeOptions<T>): Promise<MutationResult> {
    return await this.#core.mutations.merge(key, operand, readingOf(options), options);
  }

  /** Deletes a key from the storage and from all caches. An absent key is no error: see `existed`. */
  async delete(key: string, options?: DeleteOptions): Promise<MutationResult> {
    return await this.#core.mutations.delete(key, options);
  }

  /** Up to 1,000 reads and mutations in one call, each with its own verdict, as if done in order. Not atomic. */
  async batch(
    operations: readonly BatchOperation[],
    options?: BatchOptions,
  ): Promise<readonly BatchResult[]> {
    const { parts, reader, writer } = this.#core;
    return await runBatch(parts, reader, writer, operations, options);
  }

  /** Begins a transaction over keys of one shard; nothing is sent before its `commit`. */
  txn(): TransactionBuilder {
    this.#core.parts.lifetime.check();
    return new TransactionBuilder(this.#core.transactions);
  }

  /** What became of an operation whose outcome is not known (rule OU3): by the op id that the error named, or that the caller gave. */
  async resolve(opId: string, options?: ResolveOptions): Promise<Resolution> {
    return await this.#core.outcomes.resolve(opId, options);
  }

  /** Makes a kept version the present value, as a new version. */
  async restore(key: string, version: number, options?: DeleteOptions): Promise<MutationResult> {
    return await this.#core.mutations.restore(key, version, options);
  }

  /** Drops every node's copies of up to 1,000 keys, of a prefix, or of all values with any of up to 16 tags; what is stored stays. */
  async invalidate(target: InvalidateTarget, options?: MutationOptions): Promise<InvalidateResult> {
    return await this.#core.invalidations.everywhere(target, options);
  }

  /** Drops this node's copies only; gives how many there were. */
  async invalidateLocal(target: InvalidateTarget): Promise<number> {
    return await this.#core.invalidations.local(target);
  }
}
