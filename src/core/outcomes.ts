import { WarpError } from "../errors.ts";
import { checkKey } from "../protocol/key.ts";
import { type Resolution, scopeOpId } from "../protocol/shard-api.ts";
import { checkCallLimits } from "../runtime/call-limits.ts";
import { maxBatchOperations } from "../runtime/limits.ts";
import { callOptions } from "./call.ts";
import { checkOpId } from "./draft.ts";
import type { L1 } from "./l1.ts";
import type { Parts } from "./parts.ts";
import { checkRange } from "./policy.ts";
import type { ResolveOptions } from "./transaction-types.ts";

/** Tells what became of operations whose answer was lost (rule OU3). */
export class Outcomes {
  readonly #parts: Parts;
  readonly #l1: L1;
  /** Keeps readers to come from joining loads of a key from before. */
  readonly #detach: (key: string) => void;

  constructor(parts: Parts, l1: L1, detach: (key: string) => void) {
    this.#parts = parts;
    this.#l1 = l1;
    this.#detach = detach;
  }

  /** Throws `invalid_op_id`, `invalid_key`, `invalid_argument`, and what the storage refuses. */
  async resolve(opId: string, options: ResolveOptions | undefined): Promise<Resolution> {
    const { adapter, lifetime, subject: own } = this.#parts;
    lifetime.check();
    checkCallLimits(options);
    checkOpId(opId);
    const { key, index, seal, subject = own } = options ?? {};
    if (key !== undefined) checkKey(key);
    if (index !== undefined) checkRange("invalid_argument", "index", index, 0, maxBatchOperations - 1);
    const operation = { opId: scopeOpId(subject, opId, index), ...(key === undefined ? {} : { key }) };
    const [resolution] = await adapter.resolve([operation], {
      ...callOptions(options),
      ...(seal === undefined ? {} : { seal }),
    });
    if (resolution === undefined) throw new WarpError("internal", "an operation was left unresolved");
    if (resolution.state === "ok" && key !== undefined) {
      // This is the reply that the caller did not get: from now on it reads its own write (rule CO4).
      this.#detach(key);
      await this.#l1.forget(key);
    }
    return resolution;
  }
}
