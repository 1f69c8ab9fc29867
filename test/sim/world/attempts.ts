import { isWarpError } from "../../../src/errors.ts";
import type { Resolution } from "../../../src/protocol/resolution.ts";
import { scopeOpId } from "../../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import type { Action, Operation } from "../check/history.ts";
import type { Kernel } from "./kernel.ts";
import type { Recorder } from "./recorder.ts";
import type { Host } from "./sim-node.ts";

/** Codes by which a shard says of the operation itself, also when it is asked again, that it was not done and will not be. */
const verdictCodes = new Set([
  "precondition_failed",
  "quorum_failed",
  "write_interrupted",
  "op_sealed",
  "merge_failed",
  "stale_fence",
]);

/** What a change's answer said. */
export interface Done {
  readonly version: number;
  /** The action as the answer tells it. */
  readonly action: Action | undefined;
  readonly cursor?: string;
}

/** A change that may be tried more than once under one op id. */
export interface Change {
  readonly op: Operation;
  readonly host: Host;
  readonly attempt: (opId: string) => Promise<Done>;
  /** Asks what became of it; absent: its caller has no way to. */
  readonly resolve?: (opId: string, seal: boolean) => Promise<Resolution>;
}

/** A shard's refusal of one mutation, for callers without a node. */
export class Refused extends Error {
  readonly code: string;

  constructor(code: string) {
    super(code);
    this.code = code;
  }
}

/** Makes changes. Where the fate of one stays unknown, it may be made again under the same op id, or asked for. */
export class Attempts {
  readonly #kernel: Kernel;
  readonly #recorder: Recorder;
  readonly #repeats: boolean;

  constructor(kernel: Kernel, recorder: Recorder, repeats: boolean) {
    this.#kernel = kernel;
    this.#recorder = recorder;
    this.#repeats = repeats;
  }

  async make(change: Change): Promise<void> {
    const { op, host } = change;
    const opId = uuidv7(host.time.wall, host.random);
    op.opId = scopeOpId(host.name === "door" ? "door" : "node", opId);
    await this.#try(change, opId, false);
    for (let tries = this.#repeats ? 3 : 0; tries > 0 && op.outcome === "unknown"; tries--) {
      await sleep(this.#kernel, host, host.random.below(1_000));
      if (change.resolve !== undefined && host.random.below(2) === 0) await this.#ask(change, opId);
      else await this.#try(change, opId, true);
    }
  }

  async #try({ op, attempt }: Change, opId: string, again: boolean): Promise<void> {
    const recorder = this.#recorder;
    try {
      const { action, version, cursor } = await attempt(opId);
      recorder.end(op, action, {
        ...(version > 0 ? { version } : {}),
        ...(cursor === undefined ? {} : { asOf: revisionOf(cursor) }),
      });
    } catch (error) {
      if (error instanceof Refused) recorder.refused(op, error.code);
      else if (again && !(isWarpError(error) && verdictCodes.has(error.code)))
        recorder.failed(op, error, true);
      else recorder.failed(op, error);
    }
  }

  async #ask({ op, host, resolve }: Change, opId: string): Promise<void> {
    const recorder = this.#recorder;
    try {
      const found = await resolve?.(opId, host.random.below(2) === 0);
      if (found !== undefined) recorder.resolved(op, found);
    } catch (error) {
      recorder.failed(op, error, true);
    }
  }
}

/** The revision in a cursor. */
export function revisionOf(cursor: string): number {
  return Number(cursor.slice(cursor.lastIndexOf(".") + 1));
}

export function sleep(kernel: Kernel, host: Host, ms: number): Promise<void> {
  return new Promise((resolve) => {
    kernel.after(ms, () => host.deliver(resolve));
  });
}
