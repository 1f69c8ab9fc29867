import type { FenceGuard } from "../../../src/protocol/operation.ts";
import { Attempts } from "./attempts.ts";
import type { Clients } from "./client.ts";
import type { Kernel } from "./kernel.ts";
import type { Plan } from "./plan.ts";
import type { Recorder } from "./recorder.ts";
import type { SimNode } from "./sim-node.ts";
import { conditionally, doneBy, plainly } from "./told.ts";

const timeoutMs = 2_500;

/** What guarded writes are made of. */
export interface GuardedWriteParts {
  readonly kernel: Kernel;
  readonly plan: Plan;
  readonly recorder: Recorder;
  readonly clients: Clients;
  readonly node: (at: number) => SimNode;
  readonly shardOf: (name: string) => number;
}

/** Writes under fences (rule LK14): what they write is judged with all other changes, and that they were let through by the locks' judge. */
export class GuardedWrites {
  readonly #parts: GuardedWriteParts;
  readonly #attempts: Attempts;

  constructor(parts: GuardedWriteParts) {
    this.#parts = parts;
    this.#attempts = new Attempts(parts.kernel, parts.recorder, parts.plan.repeats);
  }

  /**
   * `more`: reads a counter and sets it to one more, without any comparison: the lock alone keeps others out between the two. The record says that it
   * compares, so a lost update is an order that can't be. Gives whether its fate is known: who does not know it must not read and write again under the same
   * fence, for the first may still be on its way.
   */
  async write(by: number, key: string, value: number | "more", guard: FenceGuard): Promise<boolean> {
    const { recorder, clients } = this.#parts;
    const host = this.#parts.node(by);
    let next = value;
    let action = plainly({ do: "write", key, value: typeof value === "number" ? value : null });
    if (next === "more") {
      const found = await clients.get(by, key, false);
      if (found === undefined) return true;
      next = (found.value ?? 0) + 1;
      action = conditionally(key, found.value ?? null, next);
    }
    const written = next;
    const kind = value === "more" ? "cas" : "set";
    const op = recorder.begin({ kind, node: host.name, keys: [key], action });
    const call = recorder.beginLock({
      kind: "guard",
      node: host.name,
      shard: this.#parts.shardOf(guard.lock),
      name: guard.lock,
      owner: host.name,
      fence: guard.fence,
      key,
      write: op,
    });
    await this.#attempts.make({
      op,
      host,
      attempt: async (opId) => {
        const { warp } = this.#parts.node(by);
        return doneBy(action, await warp.set(key, written, { opId, timeoutMs, guard }));
      },
      resolve: (opId, seal) => this.#parts.node(by).warp.resolve(opId, { key, seal, timeoutMs }),
    });
    if (op.outcome === "unknown") return false;
    const facts = { ...(op.version === undefined ? {} : { version: op.version }) };
    recorder.endLock(call, op.outcome, { ...facts, ...(op.error === undefined ? {} : { error: op.error }) });
    return true;
  }
}
