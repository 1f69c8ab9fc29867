import { createHash } from "node:crypto";
import { isWarpError } from "../../../src/errors.ts";
import type { Resolution } from "../../../src/protocol/resolution.ts";
import type { Action, Operation } from "../check/history.ts";
import type { LockCall } from "../check/lock-history.ts";
import type { Kernel } from "./kernel.ts";

/** Writes down what clients do and are told. */
export class Recorder {
  readonly #kernel: Kernel;
  readonly history: Operation[] = [];
  readonly locks: LockCall[] = [];

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** A call has been made. */
  begin(
    call: Pick<Operation, "kind" | "node" | "keys"> &
      Partial<Pick<Operation, "strong" | "boundMs" | "action" | "expiresInMs">>,
  ): Operation {
    const { kind, node, keys, strong = true, boundMs, action, expiresInMs } = call;
    const op: Operation = {
      id: this.history.length,
      kind,
      node,
      strong,
      keys,
      call: this.#kernel.mark(),
      callMs: this.#kernel.nowMs,
      ret: Number.POSITIVE_INFINITY,
      retMs: Number.POSITIVE_INFINITY,
      outcome: "unknown",
      action,
      ...(boundMs === undefined ? {} : { boundMs }),
      ...(expiresInMs === undefined ? {} : { expiresInMs }),
    };
    this.history.push(op);
    return op;
  }

  /** It was answered; `action`: what the answer says that it did. */
  end(
    op: Operation,
    action: Action | undefined,
    facts: Partial<Pick<Operation, "version" | "asOf" | "stale" | "cache">> = {},
  ): void {
    this.#answer(op, "ok");
    op.action = action;
    Object.assign(op, facts);
    delete op.error;
  }

  /** It was answered with an error, which says whether anything may have been done. */
  failed(op: Operation, error: unknown, asUnknown = false): void {
    const known = isWarpError(error);
    const outcome = known && error.outcome === "fail" && !asUnknown ? "fail" : "unknown";
    op.error = known ? error.code : String(error);
    if (outcome === "unknown") return;
    this.#answer(op, "fail");
    if (op.error === "precondition_failed") this.#mismatched(op);
  }

  /** What its shard says became of it. */
  resolved(op: Operation, found: Resolution): void {
    if (found.state === "fail") this.refused(op, found.error.code);
    else if (found.state === "sealed") this.refused(op, "op_sealed");
    if (found.state !== "ok") return;
    const action = op.action && { ...op.action, ...tookBy(op, op.action, found.revision > 0) };
    const asOf = found.revision > 0 ? { asOf: found.revision } : {};
    this.end(op, action, { ...asOf, ...(found.version > 0 ? { version: found.version } : {}) });
  }

  /** A shard's verdict: it was not done. */
  refused(op: Operation, code: string): void {
    op.error = code;
    this.#answer(op, "fail");
    if (code === "precondition_failed") this.#mismatched(op);
  }

  /** That its comparison did not hold is told with certainty. */
  #mismatched(op: Operation): void {
    if (op.action !== undefined && op.action.when.length > 0) op.action = { ...op.action, took: false };
  }

  #answer(op: Operation, outcome: "ok" | "fail"): void {
    op.outcome = outcome;
    op.ret = this.#kernel.mark();
    op.retMs = this.#kernel.nowMs;
  }

  /** A call about a lock has been made. */
  beginLock(call: Omit<LockCall, "id" | "call" | "callMs" | "ret" | "retMs" | "outcome">): LockCall {
    const begun: LockCall = {
      id: this.locks.length,
      ...call,
      call: this.#kernel.mark(),
      callMs: this.#kernel.nowMs,
      ret: Number.POSITIVE_INFINITY,
      retMs: Number.POSITIVE_INFINITY,
      outcome: "unknown",
    };
    this.locks.push(begun);
    return begun;
  }

  /** It was answered. */
  endLock(call: LockCall, outcome: "ok" | "fail", facts: Partial<LockCall> = {}): void {
    call.outcome = outcome;
    call.ret = this.#kernel.mark();
    call.retMs = this.#kernel.nowMs;
    Object.assign(call, facts);
    if (outcome === "ok") delete call.error;
  }

  /** Tells one history from another. */
  get hash(): string {
    const text = JSON.stringify([this.history, this.locks], (_, value: unknown) =>
      value === Number.POSITIVE_INFINITY ? "∞" : value,
    );
    return createHash("sha256").update(text).digest("hex").slice(0, 16);
  }
}

/** Of which branch was taken no more is said than whether anything was changed. */
function tookBy(op: Operation, action: Action, changed: boolean): Partial<Action> {
  // A deletion without an entry in the log found nothing to delete.
  if (op.kind === "delete") return { success: action.success.map((one) => ({ ...one, existed: changed })) };
  if (op.kind === "cas") return { took: true };
  if (action.when.length === 0) return {};
  const sets = (steps: Action["success"]): boolean =>
    steps.some((one) => one.do === "add" || (one.do === "write" && one.value !== null));
  const changes = (steps: Action["success"]): boolean => steps.some((one) => one.do !== "read");
  if (changed && !changes(action.failure)) return { took: true };
  if (changed && !changes(action.success)) return { took: false };
  if (!changed && sets(action.success)) return { took: false };
  if (!changed && sets(action.failure)) return { took: true };
  return {};
}
