/** What a run leaves behind about locks: every command and every wait, as its caller made it and as it was answered. */

import type { ElectionEvent, LockCommand, LockKind } from "../../../src/protocol/lock.ts";
import type { Operation, Outcome } from "./history.ts";

/** `wait`: one poll of a place in the queue. `guard`: a write under a fence. `observe`: one look at an election. */
export type LockCallKind = LockCommand["kind"] | "wait" | "guard" | "observe";

/** One call about a lock. Times and marks as in {@link Operation}. */
export interface LockCall {
  readonly id: number;
  readonly kind: LockCallKind;
  readonly node: string;
  readonly shard: number;
  readonly name: string;
  readonly owner: string;
  readonly call: number;
  readonly callMs: number;
  ret: number;
  retMs: number;
  outcome: Outcome;
  readonly opId?: string;
  /** Of an acquire, or of the tenure that it belongs to. */
  readonly as?: LockKind;
  readonly ttlMs?: number;
  readonly take?: number;
  readonly permits?: number;
  readonly endsWithSession?: boolean;
  /** What it names: a place, a grant. */
  readonly ticket?: string;
  readonly fence?: number;
  /** It pretends to be another than the owner. */
  readonly isWrong?: boolean;
  /** What it was answered. */
  state?: "held" | "waiting" | "offered" | "ended";
  gaveFence?: number;
  gaveTicket?: string;
  replayed?: boolean;
  error?: string;
  reason?: string;
  /** Until when, in true time, a handle made of this answer may say at most that it is valid (rule LK7). */
  validToMs?: number;
  /** A guarded write: what it wrote where. */
  readonly key?: string;
  readonly write?: Operation;
  version?: number;
  /** An observation: where it goes on from, and what it saw. */
  readonly after?: number;
  events?: readonly ElectionEvent[];
  gap?: boolean;
  to?: number;
  /** Answers to further copies of the same command, in words. */
  readonly copies?: string[];
}

/** One sentence about a call, for reports. */
export function describeLock(call: LockCall): string {
  const at = `${call.callMs.toFixed(0)}..${Number.isFinite(call.retMs) ? call.retMs.toFixed(0) : "?"}`;
  const asked = [call.ticket, call.fence, call.key].filter((one) => one !== undefined).join(" ");
  return `L${call.id} [${at}] ${call.node} ${call.kind}${call.isWrong === true ? " (not its own)" : ""} ${call.name} as ${call.owner} ${call.as ?? ""} ${asked} -> ${answerOf(call)}`;
}

/** What it was answered, in words. */
export function answerOf(call: LockCall): string {
  const { outcome, state, gaveFence, gaveTicket, error, reason, version } = call;
  if (outcome !== "ok") return `${outcome} ${[error, reason].filter((one) => one !== undefined).join(" ")}`;
  return [state, gaveFence, gaveTicket, version === undefined ? undefined : `v${version}`]
    .filter((one) => one !== undefined)
    .join(" ");
}
