import { isWarpError } from "../../../src/errors.ts";
import type { LockCommand, LockKind, LockVerdict } from "../../../src/protocol/lock.ts";
import { scopeOpId } from "../../../src/protocol/shard-api.ts";
import { uuidv7 } from "../../../src/runtime/ids.ts";
import { answerOf, type LockCall } from "../check/lock-history.ts";
import { sleep } from "./attempts.ts";
import type { Kernel } from "./kernel.ts";
import type { Recorder } from "./recorder.ts";
import type { SimNode } from "./sim-node.ts";

/** How long clients wait for an answer, beside what they ask the shard to wait. */
const timeoutMs = 2_500;
/** Share of its time to live for which a handle does not say that it is valid (rule LK7). */
const margin = 0.01;

/** A command without its op id. */
export type AskedCommand = LockCommand extends infer One
  ? One extends LockCommand
    ? Omit<One, "opId">
    : never
  : never;

/** What the record says of a command beside the command itself. */
export interface CommandFacts {
  readonly as: LockKind;
  readonly ttlMs: number;
  readonly take?: number;
  readonly permits?: number;
  readonly endsWithSession?: boolean;
  readonly isWrong: boolean;
  /** How many copies are sent at once. */
  readonly copies: number;
  /** How often it is sent again while its fate is not known. */
  readonly repeats: number;
}

/** From where an observer goes on. */
export interface Observed {
  readonly after: number;
  readonly epoch: string;
}

/** Calls of the real driver, written down. Nothing is thrown; undefined: what became of it is not known. */
export class LockCalls {
  readonly #kernel: Kernel;
  readonly #recorder: Recorder;
  readonly #shardOf: (name: string) => number;
  readonly #rateOf: (node: SimNode) => number;

  constructor(
    kernel: Kernel,
    recorder: Recorder,
    shardOf: (name: string) => number,
    rateOf: (node: SimNode) => number,
  ) {
    this.#kernel = kernel;
    this.#recorder = recorder;
    this.#shardOf = shardOf;
    this.#rateOf = rateOf;
  }

  /** One command, again under the same op id while nothing is known of it. */
  async command(
    node: SimNode,
    command: AskedCommand,
    { copies, repeats, ...facts }: CommandFacts,
  ): Promise<LockVerdict | undefined> {
    const opId = scopeOpId("node", uuidv7(node.time.wall, node.random));
    const asked = { ...command, opId } as LockCommand;
    const call = this.#recorder.beginLock({
      kind: asked.kind,
      node: node.name,
      shard: this.#shardOf(asked.name),
      name: asked.name,
      owner: "owner" in asked ? asked.owner : "",
      opId,
      ...facts,
      ...("fence" in asked && asked.fence !== undefined ? { fence: asked.fence } : {}),
      ...("ticket" in asked ? { ticket: asked.ticket } : {}),
      copies: [],
    });
    for (let copy = 1; copy < copies; copy++) void this.#copy(node, asked, call);
    for (let left = repeats; ; left--) {
      const verdict = await this.#send(node, asked, call, left < repeats);
      if (verdict !== undefined || call.outcome === "fail" || left === 0) return verdict;
      await sleep(this.#kernel, node, node.random.below(1_000));
    }
  }

  async #send(
    node: SimNode,
    command: LockCommand,
    call: LockCall,
    isAgain: boolean,
  ): Promise<LockVerdict | undefined> {
    try {
      const [verdict] = await node.locks.run([command], { timeoutMs });
      if (verdict !== undefined) this.#answered(node, call, verdict);
      return verdict;
    } catch (error) {
      const known = isWarpError(error);
      call.error = known ? error.code : String(error);
      // Of a repeat it says nothing about the first.
      if (known && error.outcome === "fail" && !isAgain) this.#recorder.endLock(call, "fail");
      return undefined;
    }
  }

  async #copy(node: SimNode, command: LockCommand, call: LockCall): Promise<void> {
    try {
      const [verdict] = await node.locks.run([command], { timeoutMs });
      if (verdict === undefined) return;
      const probe: LockCall = { ...call, outcome: verdict.outcome, ...factsOf(verdict) };
      call.copies?.push(answerOf(probe));
    } catch {
      // Whether it arrived is not known.
    }
  }

  /** One poll. */
  async wait(
    node: SimNode,
    place: {
      readonly name: string;
      readonly owner: string;
      readonly ticket: string;
      readonly waitMs: number;
    },
  ): Promise<LockVerdict | undefined> {
    const { name, owner, ticket, waitMs } = place;
    const call = this.#recorder.beginLock({
      kind: "wait",
      node: node.name,
      shard: this.#shardOf(name),
      name,
      owner,
      ticket,
    });
    try {
      const verdict = await node.locks.wait(place, { timeoutMs: waitMs + timeoutMs });
      this.#answered(node, call, verdict);
      return verdict;
    } catch (error) {
      call.error = isWarpError(error) ? error.code : String(error);
      return undefined;
    }
  }

  /** One look at an election; gives the cursor. */
  async observe(
    node: SimNode,
    name: string,
    cursor: Observed | undefined,
    waitMs: number,
  ): Promise<Observed | undefined> {
    const call = this.#recorder.beginLock({
      kind: "observe",
      node: node.name,
      shard: this.#shardOf(name),
      name,
      owner: "",
      ...(cursor === undefined ? {} : { after: cursor.after }),
    });
    try {
      const found = await node.locks.observe({ name, waitMs, ...cursor }, { timeoutMs: waitMs + timeoutMs });
      const { events, gap, to } = found;
      this.#recorder.endLock(call, "ok", { events, gap: gap === true, to });
      return { after: to, epoch: found.epoch };
    } catch (error) {
      call.error = isWarpError(error) ? error.code : String(error);
      return undefined;
    }
  }

  #answered(node: SimNode, call: LockCall, verdict: LockVerdict): void {
    // What comes after the client has another answer already, it does not hear.
    if (Number.isFinite(call.ret)) return;
    const facts = factsOf(verdict);
    const isGrant = verdict.outcome === "ok" && verdict.state === "held" && call.kind !== "confirm";
    const validToMs =
      isGrant && call.kind !== "wait" && call.kind !== "proclaim"
        ? call.callMs + (verdict.ttlMs * (1 - margin)) / this.#rateOf(node)
        : undefined;
    this.#recorder.endLock(call, verdict.outcome, {
      ...facts,
      ...(validToMs === undefined ? {} : { validToMs }),
    });
  }
}

/** What a verdict says, for the record. */
export function factsOf(verdict: LockVerdict): Partial<LockCall> {
  const replayed = verdict.replayed === true ? { replayed: true } : {};
  if (verdict.outcome === "fail") {
    const { code, details } = verdict.error;
    const reason = details?.reason;
    return { error: code, ...(typeof reason === "string" ? { reason } : {}), ...replayed };
  }
  return {
    state: verdict.state,
    ...("fence" in verdict ? { gaveFence: verdict.fence } : {}),
    ...("ticket" in verdict ? { gaveTicket: verdict.ticket } : {}),
    ...replayed,
  };
}
